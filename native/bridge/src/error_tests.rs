use scylla::errors::MetadataError;

use super::*;

fn empty() -> SlcError {
    SlcError { kind: 0, cql_code: 0, message: [0xff; 1024] }
}

#[test]
fn a_servers_answer_keeps_its_code_and_its_text_at_any_depth() {
    let answer = || RequestAttemptError::DbError(DbError::Invalid, "unconfigured table t".into());
    let nested: [Fault; 3] = [
        ExecutionError::LastAttemptError(answer()).into(),
        ExecutionError::PrepareError(PrepareError::AllAttemptsFailed { first_attempt: answer() })
            .into(),
        ExecutionError::SchemaAgreementError(SchemaAgreementError::RequestError(answer())).into(),
    ];
    for fault in nested {
        assert_eq!(fault.kind, Kind::Db);
        assert_eq!(fault.cql_code, 0x2200);
        assert_eq!(fault.message, "unconfigured table t");
    }
}

#[test]
fn bad_credentials_inside_a_broken_pool_are_an_auth_error() {
    let setup: ConnectionError = ConnectionError::UseKeyspaceError(UseKeyspaceError::RequestError(
        RequestAttemptError::DbError(DbError::AuthenticationError, "incorrect password".into()),
    ));
    let fault: Fault = NewSessionError::MetadataError(MetadataError::ConnectionPoolError(
        ConnectionPoolError::Broken { last_connection_error: setup },
    ))
    .into();
    assert_eq!((fault.kind, fault.cql_code), (Kind::Auth, 0x0100));
    assert_eq!(fault.message, "incorrect password");
}

#[test]
fn a_rate_limit_is_overload_and_does_not_panic() {
    let limit = DbError::RateLimitReached {
        op_type: scylla::errors::OperationType::Write,
        rejected_by_coordinator: true,
    };
    assert_eq!(Fault::db(&limit, "").cql_code, 0x1001);
}

#[test]
fn a_long_message_is_cut_at_a_characters_border() {
    let mut out = empty();
    Fault::usage("é".repeat(600)).write_to(&mut out);
    assert_eq!(out.kind, Kind::Usage as i32);
    assert_eq!(out.message[1022], 0);
    assert!(std::str::from_utf8(&out.message[..1022]).is_ok());
}
