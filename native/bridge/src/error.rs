//! One error type for the border, and the way from the driver's nested errors to it.

use std::any::Any;
use std::error::Error;
use std::time::Duration;

use scylla::errors::{
    ConnectionError, ConnectionPoolError, ConnectionSetupRequestError,
    ConnectionSetupRequestErrorKind, DbError, ExecutionError, NewSessionError, PrepareError,
    RequestAttemptError, RequestError, SchemaAgreementError, UseKeyspaceError,
};

use crate::types::SlcError;

/// The `SLC_*` kinds; the header says what each means to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    Ok = 0,
    Db = 1,
    Timeout = 2,
    Connection = 3,
    Auth = 4,
    Usage = 5,
    Panic = 6,
    NotSent = 7,
}

/// Why a call or a row failed.
#[derive(Clone, Debug)]
pub struct Fault {
    pub kind: Kind,
    pub cql_code: i32,
    pub message: String,
}

/// CQL's codes, from `native_protocol_v4.spec`, section 9.
const BAD_CREDENTIALS: i32 = 0x0100;
const OVERLOADED: i32 = 0x1001;
const UNPREPARED: i32 = 0x2500;

impl Fault {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, cql_code: 0, message: message.into() }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub fn timeout(after: Duration) -> Self {
        Self::new(Kind::Timeout, format!("no answer within {} ms", after.as_millis()))
    }

    pub fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no text");
        Self::new(Kind::Panic, format!("panic in the Cassandra bridge: {text}"))
    }

    fn connection(error: &dyn Error) -> Self {
        Self::new(Kind::Connection, error.to_string())
    }

    /// An error that the server answered with.
    fn db(error: &DbError, reason: &str) -> Self {
        let cql_code = match error {
            // ScyllaDB negotiates its code at connect; the driver's own lookup unwraps an option.
            DbError::RateLimitReached { .. } => OVERLOADED,
            error => error.code(&Default::default()),
        };
        let kind = if cql_code == BAD_CREDENTIALS { Kind::Auth } else { Kind::Db };
        let message = if reason.is_empty() { error.to_string() } else { reason.to_owned() };
        Self { kind, cql_code, message }
    }

    /// Fills the caller's struct; cuts the message at a character's border.
    pub fn write_to(&self, out: &mut SlcError) {
        out.kind = self.kind as i32;
        out.cql_code = self.cql_code;
        let end = self.message.floor_char_boundary_at(out.message.len() - 1);
        out.message[..end].copy_from_slice(&self.message.as_bytes()[..end]);
        out.message[end] = 0;
    }
}

trait FloorCharBoundary {
    fn floor_char_boundary_at(&self, at: usize) -> usize;
}

impl FloorCharBoundary for str {
    /// `str::floor_char_boundary` is younger than our `rust-version`.
    fn floor_char_boundary_at(&self, at: usize) -> usize {
        (0..=at.min(self.len())).rev().find(|&end| self.is_char_boundary(end)).unwrap_or(0)
    }
}

impl From<RequestAttemptError> for Fault {
    fn from(error: RequestAttemptError) -> Self {
        use RequestAttemptError as E;
        match &error {
            E::DbError(db, reason) => Self::db(db, reason),
            E::SerializationError(_) | E::CqlRequestSerialization(_) => {
                Self::usage(error.to_string())
            }
            E::UnableToAllocStreamId => Self::new(
                Kind::NotSent,
                "more requests in flight than one connection carries (32,768)",
            ),
            // The remedy is the one for UNPREPARED: prepare again.
            E::RepreparedIdChanged { .. } | E::RepreparedIdMissingInBatch => Self {
                kind: Kind::Db,
                cql_code: UNPREPARED,
                message: "the prepared statement changed on the server; prepare it again".into(),
            },
            // Broken connections, and answers that could not be understood: the row may be written.
            _ => Self::connection(&error),
        }
    }
}

impl From<ExecutionError> for Fault {
    fn from(error: ExecutionError) -> Self {
        use ExecutionError as E;
        match error {
            E::BadQuery(e) => Self::usage(e.to_string()),
            E::EmptyPlan => no_node(),
            E::PrepareError(e) => e.into(),
            E::ConnectionPoolError(e) => e.into(),
            E::LastAttemptError(e) => e.into(),
            E::RequestTimeout(after) => Self::timeout(after),
            E::UseKeyspaceError(UseKeyspaceError::RequestError(e)) => e.into(),
            E::SchemaAgreementError(SchemaAgreementError::Timeout(after)) => Self::new(
                Kind::Timeout,
                format!("the nodes did not agree on the schema within {} ms", after.as_millis()),
            ),
            e => from_chain(&e),
        }
    }
}

impl From<RequestError> for Fault {
    fn from(error: RequestError) -> Self {
        error.into_execution_error().into()
    }
}

impl From<PrepareError> for Fault {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::ConnectionPoolError(e) => e.into(),
            PrepareError::AllAttemptsFailed { first_attempt } => first_attempt.into(),
            e => Self::connection(&e),
        }
    }
}

impl From<ConnectionPoolError> for Fault {
    fn from(error: ConnectionPoolError) -> Self {
        match error {
            ConnectionPoolError::Broken { last_connection_error } => last_connection_error.into(),
            e => Self::connection(&e),
        }
    }
}

impl From<ConnectionError> for Fault {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ConnectionSetupRequestError(e) => e.into(),
            ConnectionError::UseKeyspaceError(UseKeyspaceError::RequestError(e)) => e.into(),
            e => Self::connection(&e),
        }
    }
}

impl From<ConnectionSetupRequestError> for Fault {
    fn from(error: ConnectionSetupRequestError) -> Self {
        use ConnectionSetupRequestErrorKind as E;
        match &error.error {
            E::DbError(db, reason) => Self::db(db, reason),
            E::MissingAuthentication => Self {
                kind: Kind::Auth,
                cql_code: BAD_CREDENTIALS,
                message: "the server asks for a username and a password".into(),
            },
            E::StartAuthSessionError(_)
            | E::AuthChallengeEvaluationError(_)
            | E::AuthFinishError(_) => Self::new(Kind::Auth, error.to_string()),
            _ => Self::connection(&error),
        }
    }
}

impl From<NewSessionError> for Fault {
    fn from(error: NewSessionError) -> Self {
        match &error {
            NewSessionError::FailedToResolveAnyHostname(_) => {
                Self::new(Kind::Connection, "no host name could be resolved")
            }
            NewSessionError::EmptyKnownNodesList | NewSessionError::IllegalConfig(_) => {
                Self::usage(error.to_string())
            }
            error => from_chain(error),
        }
    }
}

fn no_node() -> Fault {
    Fault::new(
        Kind::Connection,
        "no node to send to: all are down, or none is in the local datacenter",
    )
}

/// Errors about the cluster's metadata nest a request's error at varying depths: take the first of
/// the chain that we understand.
fn from_chain(error: &(dyn Error + 'static)) -> Fault {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(e) = cause.downcast_ref::<ConnectionPoolError>() {
            return e.clone().into();
        }
        if let Some(e) = cause.downcast_ref::<ConnectionError>() {
            return e.clone().into();
        }
        if let Some(e) = cause.downcast_ref::<RequestAttemptError>() {
            return e.clone().into();
        }
        if let Some(e) = cause.downcast_ref::<RequestError>() {
            return e.clone().into();
        }
        next = cause.source();
    }
    Fault::connection(error)
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
