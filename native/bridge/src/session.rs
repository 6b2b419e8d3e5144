//! A session: the driver, the threads it runs on, and the writes under way.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scylla::client::session::Session as Driver;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::cells::Cells;
use crate::error::{Fault, Kind};
use crate::gate::Gate;
use crate::options::Options;
use crate::rows::Rows;
use crate::statement::Statement;
use crate::types::SlcDone;
use crate::write::{Completion, Write, run};

pub struct Session {
    runtime: Runtime,
    driver: Arc<Driver>,
    gate: Arc<Gate>,
    request_timeout: Duration,
}

impl Session {
    pub fn connect(options: &Options) -> Result<Self, Fault> {
        off_driver_threads()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.worker_threads)
            .thread_name("cassandra-io")
            .enable_all()
            .build()
            .map_err(|e| Fault::new(Kind::Connection, format!("no threads: {e}")))?;
        match runtime.block_on(open(options)) {
            Ok(driver) => Ok(Self {
                runtime,
                driver: Arc::new(driver),
                gate: Gate::new(),
                request_timeout: options.request_timeout,
            }),
            Err(fault) => {
                // A name that is being resolved holds a thread that nothing can interrupt.
                runtime.shutdown_background();
                Err(fault)
            }
        }
    }

    /// Ends the writes under way, then the driver's threads.
    pub fn close(self, deadline: Duration) -> Result<(), Fault> {
        let until = Instant::now() + deadline;
        let Self { runtime, driver, gate, .. } = self;
        let idle = gate.close(until);
        drop(driver);
        // What is left of the deadline; a task that does not end by then ends on its own, later.
        runtime.shutdown_timeout(until.saturating_duration_since(Instant::now()));
        if idle { Ok(()) } else { Err(Fault::timeout(deadline)) }
    }

    pub fn prepare(&self, cql: &str, timeout_ms: u32) -> Result<Statement, Fault> {
        self.wait(timeout_ms, async { Ok(Statement::new(self.driver.prepare(cql).await?)) })
    }

    pub fn execute(
        &self,
        statement: &Statement,
        cells: &[u8],
        timeout_ms: u32,
    ) -> Result<Rows, Fault> {
        self.wait(timeout_ms, async {
            let cells = Cells::alone(cells);
            Rows::from_result(self.driver.execute_unpaged(statement.prepared(), cells).await?)
        })
    }

    pub fn query(&self, cql: &str, timeout_ms: u32) -> Result<Rows, Fault> {
        self.wait(timeout_ms, async {
            Rows::from_result(self.driver.query_unpaged(cql, ()).await?)
        })
    }

    pub fn timeout(&self, timeout_ms: u32) -> Duration {
        crate::options::millis(timeout_ms, self.request_timeout)
    }

    /// Starts a write. After an error `done` is never called, after Ok exactly once.
    pub fn write(&self, write: Write, done: SlcDone, context: *mut c_void) -> Result<(), Fault> {
        let pass = self
            .gate
            .enter()
            .ok_or_else(|| Fault::new(Kind::NotSent, "the session is being closed"))?;
        let completion = Completion::new(write.rows.len(), done, context, pass);
        self.runtime.spawn(run(completion, Arc::clone(&self.driver), write));
        Ok(())
    }

    /// The nodes that the driver knows of; asks nobody.
    pub fn nodes(&self) -> Rows {
        let mut rows = Rows::new(["address", "datacenter", "rack", "up"]);
        for node in self.driver.get_cluster_state().get_nodes_info() {
            rows.push(Some(format!("{}:{}", node.address.ip(), node.address.port()).as_bytes()));
            rows.push(node.datacenter.as_ref().map(String::as_bytes));
            rows.push(node.rack.as_ref().map(String::as_bytes));
            rows.push(Some(&[u8::from(node.is_connected())]));
        }
        rows
    }

    /// Runs `call` on the caller's thread, with a deadline.
    fn wait<T>(
        &self,
        timeout_ms: u32,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        off_driver_threads()?;
        let timeout = self.timeout(timeout_ms);
        self.runtime.block_on(async {
            tokio::time::timeout(timeout, call)
                .await
                .unwrap_or_else(|_| Err(Fault::timeout(timeout)))
        })
    }
}

/// A wait on a driver thread, inside a `done`, would wait for itself.
pub fn off_driver_threads() -> Result<(), Fault> {
    match Handle::try_current() {
        Ok(_) => Err(Fault::usage("a blocking call on a driver thread, inside of a callback")),
        Err(_) => Ok(()),
    }
}

async fn open(options: &Options) -> Result<Driver, Fault> {
    let timeout = options.connect_timeout;
    let hosts = options.hosts.join(", ");
    let builder = options.builder();
    let driver = match tokio::time::timeout(timeout, builder.build()).await {
        Ok(Ok(driver)) => driver,
        Ok(Err(error)) => {
            let mut fault = Fault::from(error);
            if fault.kind == Kind::Connection {
                fault.message = format!("cannot connect to {hosts}: {}", fault.message);
            }
            return Err(fault);
        }
        Err(_) => {
            let text = format!("{hosts} did not answer within {} ms", timeout.as_millis());
            return Err(Fault::new(Kind::Connection, text));
        }
    };
    match &options.local_dc {
        Some(dc) => check_datacenter(&driver, dc).map(|()| driver),
        None => Ok(driver),
    }
}

/// A misspelt datacenter would leave every request without a node.
fn check_datacenter(driver: &Driver, wanted: &str) -> Result<(), Fault> {
    let state = driver.get_cluster_state();
    let mut names: Vec<_> =
        state.get_nodes_info().iter().filter_map(|node| node.datacenter.as_deref()).collect();
    if names.contains(&wanted) {
        return Ok(());
    }
    names.sort_unstable();
    names.dedup();
    Err(Fault::usage(format!("no datacenter is named {wanted}; there is {}", names.join(", "))))
}
