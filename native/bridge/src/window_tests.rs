use std::cell::Cell;

use futures::executor::block_on;

use super::*;

fn rows(groups: &[u32]) -> Vec<SlcRow> {
    groups
        .iter()
        .map(|&group| SlcRow { statement: 0, group, cells_offset: 0, cells_size: 0 })
        .collect()
}

/// A future that is pending once, so that others start before it ends.
async fn turn() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if waited {
            return std::task::Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

fn kinds(report: &mut Report) -> Vec<(usize, Kind)> {
    report.finish().map(|(row, fault)| (row, fault.kind)).collect()
}

#[test]
fn neighbours_of_one_group_go_together_and_the_window_counts_rows() {
    let rows = rows(&[1, 1, 1, 2, 3, 3, 1, 4, 4, 4, 4, 4, 4, 4, 5]);
    let (in_flight, most) = (Cell::new(0), Cell::new(0));
    let sizes = std::cell::RefCell::new(Vec::new());
    let mut report = Report::new(rows.len());
    block_on(send_all(&rows, 4, &mut report, |group| {
        let (in_flight, most, sizes) = (&in_flight, &most, &sizes);
        async move {
            sizes.borrow_mut().push(group.len());
            in_flight.set(in_flight.get() + group.len());
            // The group of seven is larger than the window and goes alone.
            most.set(most.get().max(if group.len() == 7 { 4 } else { in_flight.get() }));
            assert!(group.len() < 7 || in_flight.get() == 7);
            turn().await;
            in_flight.set(in_flight.get() - group.len());
            Ok(())
        }
    }));
    assert_eq!(*sizes.borrow(), [3, 1, 2, 1, 7, 1]);
    assert_eq!(most.get(), 4);
    assert_eq!(kinds(&mut report), []);
}

#[test]
fn a_failed_or_panicking_batch_lists_each_of_its_rows_and_no_other() {
    let rows = rows(&[1, 1, 2, 3, 3]);
    let mut report = Report::new(rows.len());
    block_on(send_all(&rows, 10, &mut report, |group| async move {
        turn().await;
        match group.start {
            0 => panic!("a bug"),
            3 => Err(Fault::usage("wrong")),
            _ => Ok(()),
        }
    }));
    assert_eq!(
        kinds(&mut report),
        [(0, Kind::Panic), (1, Kind::Panic), (3, Kind::Usage), (4, Kind::Usage)]
    );
}

#[test]
fn after_a_timeout_no_further_row_starts() {
    let rows = rows(&[1, 2, 3, 4, 5]);
    let mut report = Report::new(rows.len());
    block_on(send_all(&rows, 2, &mut report, |group| async move {
        turn().await;
        if group.start == 0 { Err(Fault::new(Kind::Timeout, "late")) } else { Ok(()) }
    }));
    assert_eq!(
        kinds(&mut report),
        [(0, Kind::Timeout), (2, Kind::NotSent), (3, Kind::NotSent), (4, Kind::NotSent)]
    );
}

#[test]
fn a_call_that_is_cut_short_answers_for_every_row_once() {
    let rows = rows(&[1, 2, 3, 4]);
    let mut report = Report::new(rows.len());
    let sending = send_all(&rows, 3, &mut report, |group| async move {
        if group.start == 1 {
            return Ok(());
        }
        std::future::pending().await
    });
    assert!(sending.now_or_never().is_none());
    assert_eq!(
        kinds(&mut report),
        [(0, Kind::Connection), (2, Kind::Connection), (3, Kind::Connection),]
    );
    assert_eq!(kinds(&mut report).len(), 3, "a second look adds nothing");
}
