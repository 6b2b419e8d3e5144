//! Rows as C++ encoded them: for each bind marker an `int32_t` in native byte order (a length, -1
//! for null, -2 for unset), then that many bytes. Nothing is converted, only copied.

use std::fmt;

use scylla::errors::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;

/// One row's cells somewhere in the caller's buffer. Where they start is not checked before they
/// are read, and every read is.
#[derive(Clone, Copy)]
pub struct Cells<'a> {
    buffer: &'a [u8],
    offset: u64,
    /// The buffer holds this row alone: bytes after it are an error.
    alone: bool,
}

/// A cell as it goes on the wire.
#[derive(Debug, PartialEq, Eq)]
enum Cell<'a> {
    Value(&'a [u8]),
    Null,
    Unset,
}

/// What is wrong with a buffer. Names positions, never contents.
#[derive(Debug, PartialEq, Eq)]
pub enum Malformed {
    Offset { offset: u64, size: usize },
    Truncated { column: usize },
    Length { column: usize, length: i32 },
    Trailing { bytes: usize },
}

impl std::error::Error for Malformed {}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset { offset, size } => {
                write!(f, "cells_offset {offset} lies outside of the {size} bytes of cells")
            }
            Self::Truncated { column } => write!(f, "the cells end inside column {column}"),
            Self::Length { column, length } => {
                write!(f, "column {column} has the length {length}")
            }
            Self::Trailing { bytes } => write!(f, "{bytes} bytes follow the last column"),
        }
    }
}

impl<'a> Cells<'a> {
    /// The row that starts at `offset` of a buffer of many.
    pub fn at(buffer: &'a [u8], offset: u64) -> Self {
        Self { buffer, offset, alone: false }
    }

    /// A buffer that holds exactly one row.
    pub fn alone(buffer: &'a [u8]) -> Self {
        Self { buffer, offset: 0, alone: true }
    }

    /// Hands each of `columns` cells to `each`, in order.
    fn read(
        &self,
        columns: usize,
        mut each: impl FnMut(Cell<'a>) -> Result<(), SerializationError>,
    ) -> Result<(), SerializationError> {
        let size = self.buffer.len();
        let mut rest = usize::try_from(self.offset)
            .ok()
            .and_then(|offset| self.buffer.get(offset..))
            .ok_or_else(|| malformed(Malformed::Offset { offset: self.offset, size }))?;
        for column in 0..columns {
            let Some((length, after)) = rest.split_first_chunk::<4>() else {
                return Err(malformed(Malformed::Truncated { column }));
            };
            rest = after;
            let cell = match i32::from_ne_bytes(*length) {
                -1 => Cell::Null,
                -2 => Cell::Unset,
                length => {
                    let length = usize::try_from(length)
                        .map_err(|_| malformed(Malformed::Length { column, length }))?;
                    let Some((value, after)) = rest.split_at_checked(length) else {
                        return Err(malformed(Malformed::Truncated { column }));
                    };
                    rest = after;
                    Cell::Value(value)
                }
            };
            each(cell)?;
        }
        if self.alone && !rest.is_empty() {
            return Err(malformed(Malformed::Trailing { bytes: rest.len() }));
        }
        Ok(())
    }
}

fn malformed(what: Malformed) -> SerializationError {
    SerializationError::new(what)
}

impl SerializeRow for Cells<'_> {
    fn serialize(
        &self,
        ctx: &RowSerializationContext<'_>,
        writer: &mut RowWriter,
    ) -> Result<(), SerializationError> {
        self.read(ctx.columns().len(), |cell| {
            let place = writer.make_cell_writer();
            match cell {
                Cell::Null => place.set_null(),
                Cell::Unset => place.set_unset(),
                Cell::Value(value) => place.set_value(value).map_err(SerializationError::new)?,
            };
            Ok(())
        })
    }

    fn is_empty(&self) -> bool {
        // Asked for unprepared statements alone, and we never bind to those.
        false
    }
}

#[cfg(test)]
#[path = "cells_tests.rs"]
mod tests;
