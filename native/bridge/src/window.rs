//! Sends rows with a bound on those in flight, and keeps what became of each.

use std::ops::Range;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};

use crate::error::{Fault, Kind};
use crate::types::SlcRow;

/// What became of each row of one call.
pub struct Report {
    settled: Vec<bool>,
    started: usize,
    stalled: bool,
    faults: Vec<Fault>,
    /// Row, and its fault's index.
    failed: Vec<(usize, usize)>,
}

impl Report {
    pub fn new(rows: usize) -> Self {
        Self {
            settled: vec![false; rows],
            started: 0,
            stalled: false,
            faults: Vec::new(),
            failed: Vec::new(),
        }
    }

    fn settle(&mut self, rows: Range<usize>, result: Result<(), Fault>) {
        self.settled[rows.clone()].fill(true);
        if let Err(fault) = result {
            self.stalled |= fault.kind == Kind::Timeout;
            self.fail(rows, fault);
        }
    }

    fn fail(&mut self, rows: impl Iterator<Item = usize>, fault: Fault) {
        let index = self.faults.len();
        self.faults.push(fault);
        self.failed.extend(rows.map(|row| (row, index)));
    }

    /// Gives the rows that never got an answer one, then lists all failures by row.
    pub fn finish(&mut self) -> impl Iterator<Item = (usize, &Fault)> {
        let open: Vec<usize> = (0..self.started).filter(|&row| !self.settled[row]).collect();
        if !open.is_empty() {
            let fault = if std::thread::panicking() {
                Fault::new(Kind::Panic, "panic in the Cassandra bridge")
            } else {
                Fault::new(Kind::Connection, "the session was closed before the answer came")
            };
            self.fail(open.into_iter(), fault);
        }
        if self.started < self.settled.len() {
            let why =
                if self.stalled { "an earlier row timed out" } else { "the session was closed" };
            let fault = Fault::new(Kind::NotSent, format!("not sent, because {why}"));
            self.fail(self.started..self.settled.len(), fault);
        }
        self.started = self.settled.len();
        self.settled.fill(true);
        self.failed.sort_unstable_by_key(|&(row, _)| row);
        self.failed.iter().map(|&(row, fault)| (row, &self.faults[fault]))
    }
}

/// The rows from `start` that go together.
fn group_at(rows: &[SlcRow], start: usize) -> Range<usize> {
    let group = rows[start].group;
    let size = rows[start..].iter().take_while(|row| row.group == group).count();
    start..start + size
}

/// Sends every group by `send`, at most `in_flight_max` rows at once (a larger group goes alone).
/// After a timeout no further row starts: each window would cost the caller another timeout.
pub async fn send_all<F>(
    rows: &[SlcRow],
    in_flight_max: usize,
    report: &mut Report,
    send: impl Fn(Range<usize>) -> F,
) where
    F: Future<Output = Result<(), Fault>>,
{
    let mut running = FuturesUnordered::new();
    let mut in_flight = 0;
    loop {
        while report.started < rows.len() && !report.stalled {
            let group = group_at(rows, report.started);
            if in_flight > 0 && in_flight + group.len() > in_flight_max {
                break;
            }
            in_flight += group.len();
            report.started = group.end;
            // Made inside of the block: moved in, a future of 4 kB would take its room twice and be
            // copied (measured: a fifth of a single row's CPU).
            let send = &send;
            let sending = async move {
                let result = AssertUnwindSafe(send(group.clone())).catch_unwind().await;
                (group, result)
            };
            running.push(sending);
        }
        let Some((group, result)) = running.next().await else {
            return;
        };
        in_flight -= group.len();
        report.settle(group, result.unwrap_or_else(|payload| Err(Fault::panic(&*payload))));
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
