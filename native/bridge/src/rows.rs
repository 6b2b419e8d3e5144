//! A result, copied out of the driver's frame so that any cell can be had by row and column.

use scylla::deserialize::row::ColumnIterator;
use scylla::response::query_result::QueryResult;

use crate::error::{Fault, Kind};

/// Column names, and cells as raw CQL bytes, row after row.
pub struct Rows {
    names: Vec<String>,
    bytes: Vec<u8>,
    /// Where each cell's bytes start and end; None for null.
    cells: Vec<Option<(usize, usize)>>,
}

impl Rows {
    pub fn new<const N: usize>(names: [&str; N]) -> Self {
        Self { names: names.map(str::to_owned).to_vec(), bytes: Vec::new(), cells: Vec::new() }
    }

    /// Statements that return no rows give no columns.
    pub fn from_result(result: QueryResult) -> Result<Self, Fault> {
        let mut out = Self::new([]);
        if !result.is_rows() {
            return Ok(out);
        }
        let result = result.into_rows_result().map_err(|e| unreadable(&e))?;
        out.names = result.column_specs().iter().map(|spec| spec.name().to_owned()).collect();
        for row in result.rows::<ColumnIterator>().map_err(|e| unreadable(&e))? {
            for cell in row.map_err(|e| unreadable(&e))? {
                let cell = cell.map_err(|e| unreadable(&e))?;
                out.push(cell.slice.as_ref().map(|slice| slice.as_slice()));
            }
        }
        Ok(out)
    }

    /// Adds the next cell, in row order.
    pub fn push(&mut self, cell: Option<&[u8]>) {
        self.cells.push(cell.map(|cell| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(cell);
            (start, self.bytes.len())
        }));
    }

    pub fn count(&self) -> usize {
        self.cells.len().checked_div(self.names.len()).unwrap_or(0)
    }

    pub fn columns(&self) -> usize {
        self.names.len()
    }

    pub fn name(&self, column: usize) -> Option<&str> {
        self.names.get(column).map(String::as_str)
    }

    /// The outer None: there is no such cell.
    pub fn cell(&self, row: usize, column: usize) -> Option<Option<&[u8]>> {
        if column >= self.columns() {
            return None;
        }
        let index = row.checked_mul(self.columns())?.checked_add(column)?;
        let place = *self.cells.get(index)?;
        Some(place.map(|(start, end)| &self.bytes[start..end]))
    }
}

fn unreadable(error: &dyn std::error::Error) -> Fault {
    Fault::new(Kind::Connection, format!("the server's answer could not be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_by_row_and_column_and_nothing_else_is() {
        let mut rows = Rows::new(["a", "b"]);
        for cell in [Some(&b"x"[..]), None, Some(b""), Some(b"yz")] {
            rows.push(cell);
        }
        assert_eq!((rows.count(), rows.columns()), (2, 2));
        assert_eq!(rows.name(1), Some("b"));
        assert_eq!(rows.cell(0, 0), Some(Some(&b"x"[..])));
        assert_eq!(rows.cell(0, 1), Some(None));
        assert_eq!(rows.cell(1, 0), Some(Some(&b""[..])));
        assert_eq!(rows.cell(1, 1), Some(Some(&b"yz"[..])));
        for (row, column) in [(0, 2), (2, 0), (usize::MAX, 1), (usize::MAX, usize::MAX)] {
            assert_eq!(rows.cell(row, column), None);
        }
        assert_eq!(rows.name(2), None);
        assert_eq!(Rows::new([]).count(), 0);
    }
}
