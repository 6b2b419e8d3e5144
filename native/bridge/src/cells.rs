//! Rows as C++ encoded them: for each bind marker an `int32_t` in native byte order (a length, -1
//! for null, -2 for unset), then that many bytes. Nothing is converted, only copied.

use std::fmt;

use scylla::errors::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;

/// One row's cells. Every read is checked, and bytes left over are an error: cells bound to a
/// statement with another number of markers must never pass.
#[derive(Clone, Copy)]
pub struct Cells<'a> {
    row: &'a [u8],
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
    Outside { offset: u64, size: u64, buffer: usize },
    Truncated { column: usize },
    Length { column: usize, length: i32 },
    Trailing { bytes: usize },
}

impl std::error::Error for Malformed {}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside { offset, size, buffer } => write!(
                f,
                "a row of {size} bytes at {offset} lies outside of the {buffer} bytes of cells"
            ),
            Self::Truncated { column } => write!(f, "the cells end inside column {column}"),
            Self::Length { column, length } => {
                write!(f, "column {column} has the length {length}")
            }
            Self::Trailing { bytes } => write!(f, "{bytes} bytes follow the last column"),
        }
    }
}

impl<'a> Cells<'a> {
    /// The row of `size` bytes at `offset` of a buffer of many.
    pub fn at(buffer: &'a [u8], offset: u64, size: u64) -> Result<Self, Malformed> {
        let begin = usize::try_from(offset).ok();
        let end = offset.checked_add(size).and_then(|end| usize::try_from(end).ok());
        begin
            .zip(end)
            .and_then(|(begin, end)| buffer.get(begin..end))
            .map(Self::alone)
            .ok_or(Malformed::Outside { offset, size, buffer: buffer.len() })
    }

    /// A buffer that holds exactly one row.
    pub fn alone(row: &'a [u8]) -> Self {
        Self { row }
    }

    /// Hands each of `columns` cells to `each`, in order.
    fn read(
        &self,
        columns: usize,
        mut each: impl FnMut(Cell<'a>) -> Result<(), SerializationError>,
    ) -> Result<(), SerializationError> {
        let mut rest = self.row;
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
        if !rest.is_empty() {
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
