//! What every entry needs: pointers become references, results and panics become `SlcError`.

use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Fault, Kind};
use crate::types::SlcError;

/// Runs an entry; gives its kind back and, if there is one, fills the caller's error.
pub unsafe fn enter(error: *mut SlcError, body: impl FnOnce() -> Result<(), Fault>) -> i32 {
    let result =
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(Fault::panic(&*payload)));
    let fault = match result {
        Ok(()) => Fault::new(Kind::Ok, ""),
        Err(fault) => fault,
    };
    // SAFETY: null or the caller's, as the header says.
    if let Some(error) = unsafe { error.as_mut() } {
        fault.write_to(error);
    }
    fault.kind as i32
}

/// Like `enter`, for entries that cannot fail but by a panic.
pub fn infallible<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

pub unsafe fn reference<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Fault> {
    // SAFETY: null or valid, as the header says.
    unsafe { pointer.as_ref() }.ok_or_else(|| Fault::usage(format!("{name} is NULL")))
}

pub unsafe fn slice<'a, T>(data: *const T, size: usize, name: &str) -> Result<&'a [T], Fault> {
    if size == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Fault::usage(format!("{name} is NULL")));
    }
    // SAFETY: the header asks for `size` elements at `data`.
    Ok(unsafe { std::slice::from_raw_parts(data, size) })
}

pub unsafe fn text<'a>(data: *const c_char, size: usize) -> Result<&'a str, Fault> {
    // SAFETY: as for `slice`.
    let bytes = unsafe { slice(data.cast::<u8>(), size, "cql") }?;
    std::str::from_utf8(bytes).map_err(|_| Fault::usage("cql is not UTF-8"))
}

/// Gives `value` to the caller, if it wants it.
pub unsafe fn give<T>(out: *mut *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: a place of the caller's.
        unsafe { *out = Box::into_raw(Box::new(value)) };
    }
}
