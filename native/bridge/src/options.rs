//! `SlcOptions`, checked and copied.

use std::ffi::{CStr, c_char};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use scylla::client::PoolSize;
use scylla::client::SelfIdentity;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session_builder::SessionBuilder;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::statement::Consistency;

use crate::error::Fault;
use crate::types::SlcOptions;

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// How often an idle connection is asked for a sign of life. A node that went away without a word
/// is noticed within this and the request timeout.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

pub struct Options {
    pub hosts: Vec<String>,
    pub credentials: Option<(String, String)>,
    pub local_dc: Option<String>,
    pub application_name: Option<String>,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    pub connections_per_node: NonZeroUsize,
    pub worker_threads: usize,
    pub consistency: Consistency,
}

impl Options {
    /// # Safety
    /// The pointers in `raw` are null or as the header says.
    pub unsafe fn read(raw: &SlcOptions) -> Result<Self, Fault> {
        // SAFETY: the caller's promise, for each pointer.
        let (hosts, username, password, local_dc, application_name) = unsafe {
            (
                hosts(raw)?,
                text(raw.username, "username")?,
                text(raw.password, "password")?,
                text(raw.local_dc, "local_dc")?,
                text(raw.application_name, "application_name")?,
            )
        };
        let credentials = match (username, password) {
            (Some(username), Some(password)) => Some((username, password)),
            (None, None) => None,
            _ => return Err(Fault::usage("username and password go together")),
        };
        Ok(Self {
            hosts,
            credentials,
            local_dc,
            application_name,
            connect_timeout: millis(raw.connect_timeout_ms, TIMEOUT_DEFAULT),
            request_timeout: millis(raw.request_timeout_ms, TIMEOUT_DEFAULT),
            connections_per_node: NonZeroUsize::new(raw.connections_per_node as usize)
                .unwrap_or(NonZeroUsize::MIN),
            worker_threads: (raw.worker_threads as usize).max(1),
            consistency: consistency(raw.consistency)?,
        })
    }

    pub fn builder(&self) -> SessionBuilder {
        let mut policy = DefaultPolicy::builder().token_aware(true);
        if let Some(dc) = &self.local_dc {
            policy = policy.prefer_datacenter(dc.clone()).permit_dc_failover(false);
        }
        let profile = ExecutionProfile::builder()
            .consistency(self.consistency)
            // Each call brings its own deadline; a second timer for each request would only cost.
            .request_timeout(None)
            // The caller resends: it alone may, because it knows that timestamps are bound.
            .retry_policy(Arc::new(FallthroughRetryPolicy))
            .speculative_execution_policy(None)
            .load_balancing_policy(policy.build())
            .build();
        let mut identity = SelfIdentity::new();
        if let Some(name) = &self.application_name {
            identity = identity.with_application_name(name.clone());
        }
        // No timestamp generator: the driver would put its clock beside the one that rows bind.
        let mut builder = SessionBuilder::new()
            .known_nodes(&self.hosts)
            .default_execution_profile_handle(profile.into_handle())
            .custom_identity(identity)
            .driver_config_reporting(false)
            .pool_size(PoolSize::PerHost(self.connections_per_node))
            .connection_timeout(self.connect_timeout)
            .hostname_resolution_timeout(Some(self.connect_timeout))
            .keepalive_interval(KEEPALIVE_INTERVAL)
            .keepalive_timeout(self.request_timeout)
            // Routing needs keyspaces and partitioners, never columns.
            .fetch_full_schema_metadata(false)
            .write_coalescing(true)
            .tcp_nodelay(true);
        if let Some((username, password)) = &self.credentials {
            builder = builder.user(username, password);
        }
        builder
    }
}

/// Zero is "the default" in every time of the header.
pub fn millis(value: u32, default: Duration) -> Duration {
    if value == 0 { default } else { Duration::from_millis(u64::from(value)) }
}

unsafe fn hosts(raw: &SlcOptions) -> Result<Vec<String>, Fault> {
    if raw.hosts.is_null() || raw.hosts_size == 0 {
        return Err(Fault::usage("no hosts"));
    }
    // SAFETY: the caller's promise.
    let hosts = unsafe { std::slice::from_raw_parts(raw.hosts, raw.hosts_size) };
    hosts
        .iter()
        // SAFETY: the caller's promise.
        .map(|&host| unsafe { text(host, "hosts") }?.ok_or_else(|| Fault::usage("a host is NULL")))
        .collect()
}

/// Never repeats the text: it may be a password.
unsafe fn text(raw: *const c_char, name: &str) -> Result<Option<String>, Fault> {
    if raw.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(raw) };
    match text.to_str() {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err(Fault::usage(format!("{name} is not UTF-8"))),
    }
}

fn consistency(wire: u16) -> Result<Consistency, Fault> {
    if wire == 0 {
        return Ok(Consistency::LocalQuorum);
    }
    match Consistency::try_from(wire) {
        Ok(Consistency::Serial | Consistency::LocalSerial) | Err(_) => {
            Err(Fault::usage(format!("consistency {wire} is none that a write can have")))
        }
        Ok(level) => Ok(level),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_is_local_quorum_and_serial_levels_are_refused() {
        assert_eq!(consistency(0).unwrap(), Consistency::LocalQuorum);
        assert_eq!(consistency(6).unwrap(), Consistency::LocalQuorum);
        assert_eq!(consistency(1).unwrap(), Consistency::One);
        for wire in [8, 9, 11, u16::MAX] {
            assert!(consistency(wire).is_err(), "{wire}");
        }
    }
}
