//! The C entries of `sluice/cassandra_bridge.h`, and the reason why librdkafka is in the archive.
//! What each does is in the header. `border` turns pointers into
//! references and panics into errors.

mod border;
mod cells;
mod error;
mod gate;
mod options;
mod rows;
mod session;
mod statement;
mod types;
mod window;
mod write;

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use border::{enter, give, infallible, reference, slice, text};
use error::Fault;
use options::Options;
use rows::Rows;
use session::{Session, off_driver_threads};
use statement::Statement;
use types::{SlcDone, SlcError, SlcOptions, SlcWrite};
use write::Write;

/// Without a mention of the crate its library is left out of the archive.
#[cfg(feature = "vendored-kafka")]
use rdkafka_sys as _;

const IN_FLIGHT_DEFAULT: usize = 512;

#[unsafe(no_mangle)]
pub extern "C" fn slc_version() -> *const c_char {
    concat!("scylla ", env!("SLUICE_SCYLLA_VERSION"), "\0").as_ptr().cast()
}

/// # Safety
/// As the header says; so for every function below.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_connect(
    options: *const SlcOptions,
    session: *mut *mut Session,
    error: *mut SlcError,
) -> i32 {
    unsafe {
        enter(error, || {
            reference(session, "session")?;
            let options = Options::read(reference(options, "options")?)?;
            give(session, Session::connect(&options)?);
            Ok(())
        })
    }
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_close(session: *mut Session, deadline_ms: u32) -> i32 {
    unsafe {
        enter(ptr::null_mut(), || {
            if session.is_null() {
                return Ok(());
            }
            off_driver_threads()?;
            Box::from_raw(session).close(Duration::from_millis(u64::from(deadline_ms)))
        })
    }
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_prepare(
    session: *const Session,
    cql: *const c_char,
    cql_size: usize,
    timeout_ms: u32,
    statement: *mut *mut Statement,
    error: *mut SlcError,
) -> i32 {
    unsafe {
        enter(error, || {
            reference(statement, "statement")?;
            let session = reference(session, "session")?;
            let prepared = session.prepare(text(cql, cql_size)?, timeout_ms)?;
            // Counted: a write under way holds it beyond `slc_statement_free`.
            *statement = Arc::into_raw(Arc::new(prepared)).cast_mut();
            Ok(())
        })
    }
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_statement_free(statement: *mut Statement) {
    infallible((), || {
        if !statement.is_null() {
            drop(unsafe { Arc::from_raw(statement) });
        }
    });
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_execute(
    session: *const Session,
    statement: *const Statement,
    cells: *const u8,
    cells_size: usize,
    timeout_ms: u32,
    rows: *mut *mut Rows,
    error: *mut SlcError,
) -> i32 {
    unsafe {
        enter(error, || {
            let session = reference(session, "session")?;
            let statement = reference(statement, "statement")?;
            let cells = slice(cells, cells_size, "cells")?;
            give(rows, session.execute(statement, cells, timeout_ms)?);
            Ok(())
        })
    }
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_query(
    session: *const Session,
    cql: *const c_char,
    cql_size: usize,
    timeout_ms: u32,
    rows: *mut *mut Rows,
    error: *mut SlcError,
) -> i32 {
    unsafe {
        enter(error, || {
            let session = reference(session, "session")?;
            give(rows, session.query(text(cql, cql_size)?, timeout_ms)?);
            Ok(())
        })
    }
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_write(
    session: *const Session,
    write: *const SlcWrite,
    done: Option<SlcDone>,
    context: *mut c_void,
    error: *mut SlcError,
) -> i32 {
    unsafe {
        enter(error, || {
            let session = reference(session, "session")?;
            let raw = reference(write, "write")?;
            let done = done.ok_or_else(|| Fault::usage("done is NULL"))?;
            if u32::try_from(raw.rows_size).is_err() {
                return Err(Fault::usage("more rows than a 32-bit index can name"));
            }
            let statements = slice(raw.statements, raw.statements_size, "statements")?
                .iter()
                .map(|&statement| {
                    reference(statement, "a statement")?;
                    Arc::increment_strong_count(statement);
                    Ok(Arc::from_raw(statement))
                })
                .collect::<Result<_, Fault>>()?;
            let write = Write {
                statements,
                cells: slice(raw.cells, raw.cells_size, "cells")?,
                rows: slice(raw.rows, raw.rows_size, "rows")?,
                in_flight_max: match raw.in_flight_max {
                    0 => IN_FLIGHT_DEFAULT,
                    max => max as usize,
                },
                timeout: session.timeout(raw.timeout_ms),
            };
            session.write(write, done, context)
        })
    }
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_nodes(
    session: *const Session,
    rows: *mut *mut Rows,
    error: *mut SlcError,
) -> i32 {
    unsafe {
        enter(error, || {
            give(rows, reference(session, "session")?.nodes());
            Ok(())
        })
    }
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_rows_count(rows: *const Rows) -> usize {
    infallible(0, || unsafe { rows.as_ref() }.map_or(0, Rows::count))
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_rows_columns(rows: *const Rows) -> usize {
    infallible(0, || unsafe { rows.as_ref() }.map_or(0, Rows::columns))
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_rows_column_name(
    rows: *const Rows,
    column: usize,
    size: *mut usize,
) -> *const c_char {
    infallible(ptr::null(), || unsafe {
        let name = rows.as_ref().and_then(|rows| rows.name(column));
        if let Some(size) = size.as_mut() {
            *size = name.map_or(0, str::len);
        }
        name.map_or(ptr::null(), |name| name.as_ptr().cast())
    })
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_rows_cell(
    rows: *const Rows,
    row: usize,
    column: usize,
    data: *mut *const u8,
    size: *mut i32,
) -> i32 {
    unsafe {
        enter(ptr::null_mut(), || {
            (*data, *size) = (ptr::null(), -1);
            let cell = reference(rows, "rows")?
                .cell(row, column)
                .ok_or_else(|| Fault::usage("no such cell"))?;
            *data = cell.map_or(ptr::null(), <[u8]>::as_ptr);
            // CQL's own lengths are 32 bits wide.
            *size = cell.map_or(-1, |cell| cell.len() as i32);
            Ok(())
        })
    }
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn slc_rows_free(rows: *mut Rows) {
    infallible((), || {
        if !rows.is_null() {
            drop(unsafe { Box::from_raw(rows) });
        }
    });
}
