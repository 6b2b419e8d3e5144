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
            Malformed::Offset { offset, size } => {
                Malformed::Offset { offset: *offset, size: *size }
            }
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
    let mut buffer = vec![9, 9, 9];
    buffer.extend(encode(&[Some(b"ab"), None, Some(b"")]));
    buffer.extend((-2i32).to_ne_bytes());
    assert_eq!(
        read(&Cells::at(&buffer, 3), 4).unwrap(),
        [Cell::Value(b"ab"), Cell::Null, Cell::Value(b""), Cell::Unset]
    );
}

#[test]
fn an_offset_outside_of_the_buffer_is_refused() {
    let buffer = encode(&[None]);
    for offset in [5, u64::from(u32::MAX), u64::MAX] {
        assert_eq!(
            read(&Cells::at(&buffer, offset), 1),
            Err(Malformed::Offset { offset, size: 4 })
        );
    }
    // One past the last byte is inside, but no cell starts there.
    assert_eq!(read(&Cells::at(&buffer, 4), 1), Err(Malformed::Truncated { column: 0 }));
    assert_eq!(read(&Cells::at(&buffer, 4), 0), Ok(vec![]));
}

#[test]
fn every_truncation_is_refused() {
    let buffer = encode(&[Some(b"key"), None, Some(b"value")]);
    for size in 0..buffer.len() {
        assert!(
            matches!(read(&Cells::at(&buffer[..size], 0), 3), Err(Malformed::Truncated { .. })),
            "{size} of {} bytes",
            buffer.len()
        );
    }
    assert!(read(&Cells::at(&buffer, 0), 3).is_ok());
    assert_eq!(read(&Cells::at(&buffer, 0), 4), Err(Malformed::Truncated { column: 3 }));
}

#[test]
fn lengths_that_no_buffer_can_hold_are_refused() {
    for length in [-3, i32::MIN] {
        assert_eq!(
            read(&Cells::at(&length.to_ne_bytes(), 0), 1),
            Err(Malformed::Length { column: 0, length })
        );
    }
    assert_eq!(
        read(&Cells::at(&i32::MAX.to_ne_bytes(), 0), 1),
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
