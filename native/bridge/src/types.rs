//! The C structs of `sluice/cassandra_bridge.h`, field by field; the header has their meaning.

use std::ffi::{c_char, c_void};

use crate::statement::Statement;

#[repr(C)]
pub struct SlcError {
    pub kind: i32,
    pub cql_code: i32,
    pub message: [u8; 1024],
}

#[repr(C)]
pub struct SlcOptions {
    pub hosts: *const *const c_char,
    pub hosts_size: usize,
    pub username: *const c_char,
    pub password: *const c_char,
    pub local_dc: *const c_char,
    pub application_name: *const c_char,
    pub connect_timeout_ms: u32,
    pub request_timeout_ms: u32,
    pub connections_per_node: u32,
    pub worker_threads: u32,
    pub consistency: u16,
}

#[repr(C)]
pub struct SlcRow {
    pub statement: u32,
    pub group: u32,
    pub cells_offset: u64,
    pub cells_size: u64,
}

#[repr(C)]
pub struct SlcWrite {
    pub statements: *const *const Statement,
    pub statements_size: usize,
    pub cells: *const u8,
    pub cells_size: usize,
    pub rows: *const SlcRow,
    pub rows_size: usize,
    pub in_flight_max: u32,
    pub timeout_ms: u32,
}

#[repr(C)]
pub struct SlcFailure {
    pub row: u32,
    pub kind: i32,
    pub cql_code: i32,
    pub message: *const u8,
    pub message_size: usize,
}

pub type SlcDone = unsafe extern "C" fn(*mut c_void, *const SlcFailure, usize);

// The header asserts the same sizes.
const _: () = {
    assert!(size_of::<SlcError>() == 1032);
    assert!(size_of::<SlcOptions>() == 72);
    assert!(size_of::<SlcRow>() == 24);
    assert!(size_of::<SlcWrite>() == 56);
    assert!(size_of::<SlcFailure>() == 32);
};
