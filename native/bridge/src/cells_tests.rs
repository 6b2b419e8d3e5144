use super::*;

fn encode(cells: &[Option<&[u8]>]) -> Vec<u8> {
    let mut out = Vec::new();
    for cell in cells {
        match cell {
            Some(value) => {
                out.extend_from_slice(&i32::try_from(value.len()).unwrap().to_ne_bytes());
                out.extend_from_slice(value);
            }
            None => out.extend_from_slice(&(-1i32).to_ne_bytes()),
        }
    }
    out
}

fn read<'a>(cells: &Cells<'a>, columns: usize) -> Result<Vec<Cell<'a>>, Malformed> {
    let mut out = Vec::new();
    let result = cells.read(columns, |cell| {
        out.push(cell);
        Ok(())
    });
    match result {
        Ok(()) => Ok(out),
        Err(error) => Err(match error.downcast_ref::<Malformed>().expect("only our own error") {
            Malformed::Outside { .. } => panic!("reading stays inside"),
            Malformed::Truncated { column } => Malformed::Truncated { column: *column },
            Malformed::Length { column, length } => {
                Malformed::Length { column: *column, length: *length }
            }
            Malformed::Trailing { bytes } => Malformed::Trailing { bytes: *bytes },
        }),
    }
}

#[test]
fn values_nulls_and_unset_come_back_in_order() {
    let mut row = encode(&[Some(b"ab"), None, Some(b"")]);
    row.extend((-2i32).to_ne_bytes());
    let buffer = [&[9, 9, 9], row.as_slice(), &[9, 9, 9]].concat();
    assert_eq!(
        read(&Cells::at(&buffer, 3, row.len() as u64).unwrap(), 4).unwrap(),
        [Cell::Value(b"ab"), Cell::Null, Cell::Value(b""), Cell::Unset]
    );
}

#[test]
fn a_row_outside_of_the_buffer_is_refused() {
    let buffer = encode(&[None]);
    for (offset, size) in [(5, 0), (4, 1), (0, 5), (1, u64::MAX), (u64::MAX, 0), (u64::MAX, 4)] {
        assert!(
            matches!(Cells::at(&buffer, offset, size), Err(Malformed::Outside { buffer: 4, .. })),
            "{size} bytes at {offset}"
        );
    }
    assert_eq!(read(&Cells::at(&buffer, 4, 0).unwrap(), 0), Ok(vec![]));
}

#[test]
fn a_row_never_reads_its_neighbours_cells() {
    let buffer = [encode(&[None, None]), encode(&[Some(b"next")])].concat();
    let row = Cells::at(&buffer, 0, 8).unwrap();
    assert_eq!(read(&row, 3), Err(Malformed::Truncated { column: 2 }));
    assert_eq!(read(&row, 1), Err(Malformed::Trailing { bytes: 4 }));
    assert!(read(&row, 2).is_ok());
}

#[test]
fn every_truncation_is_refused() {
    let buffer = encode(&[Some(b"key"), None, Some(b"value")]);
    for size in 0..buffer.len() {
        assert!(
            matches!(read(&Cells::alone(&buffer[..size]), 3), Err(Malformed::Truncated { .. })),
            "{size} of {} bytes",
            buffer.len()
        );
    }
    assert!(read(&Cells::alone(&buffer), 3).is_ok());
    assert_eq!(read(&Cells::alone(&buffer), 4), Err(Malformed::Truncated { column: 3 }));
}

#[test]
fn lengths_that_no_buffer_can_hold_are_refused() {
    for length in [-3, i32::MIN] {
        assert_eq!(
            read(&Cells::alone(&length.to_ne_bytes()), 1),
            Err(Malformed::Length { column: 0, length })
        );
    }
    assert_eq!(
        read(&Cells::alone(&i32::MAX.to_ne_bytes()), 1),
        Err(Malformed::Truncated { column: 0 })
    );
}

#[test]
fn a_buffer_for_one_row_refuses_more() {
    let buffer = encode(&[None, None]);
    assert_eq!(read(&Cells::alone(&buffer), 1), Err(Malformed::Trailing { bytes: 4 }));
    assert!(read(&Cells::alone(&buffer), 2).is_ok());
    assert!(read(&Cells::alone(&[]), 0).is_ok());
}
