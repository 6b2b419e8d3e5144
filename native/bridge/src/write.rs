//! One `slc_write`: a task on the driver's threads that sends the rows and answers once.

use std::ffi::c_void;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select;
use scylla::client::session::Session;

use crate::cells::Cells;
use crate::error::Fault;
use crate::gate::Pass;
use crate::statement::{Statement, unlogged};
use crate::types::{SlcDone, SlcFailure, SlcRow};
use crate::window::{Report, send_all};

/// What to send. The slices are the caller's memory, which the contract of `slc_write` keeps alive
/// until `done` has run: hence `'static`, and hence the order of drops in `run`.
pub struct Write {
    pub statements: Vec<Arc<Statement>>,
    pub cells: &'static [u8],
    pub rows: &'static [SlcRow],
    pub in_flight_max: usize,
    pub timeout: Duration,
}

/// Calls `done` exactly once: when it is dropped, whether the rows were all answered, the session
/// closed, the runtime dropped the task, or the task panicked.
pub struct Completion {
    report: Report,
    done: SlcDone,
    context: *mut c_void,
    /// Dropped after `done` has returned.
    pass: Pass,
}

// SAFETY: `context` is only handed back to `done`, which the contract lets run on any thread.
unsafe impl Send for Completion {}

impl Completion {
    pub fn new(rows: usize, done: SlcDone, context: *mut c_void, pass: Pass) -> Self {
        Self { report: Report::new(rows), done, context, pass }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        let failures: Vec<SlcFailure> = self
            .report
            .finish()
            .map(|(row, fault)| SlcFailure {
                // `slc_write` refuses more rows than fit.
                row: row as u32,
                kind: fault.kind as i32,
                cql_code: fault.cql_code,
                message: fault.message.as_ptr(),
                message_size: fault.message.len(),
            })
            .collect();
        // SAFETY: the caller's function and its own argument; the list outlives the call.
        unsafe { (self.done)(self.context, failures.as_ptr(), failures.len()) };
    }
}

/// `completion` comes first because arguments are dropped last to first: when `done` gives the
/// memory back to the caller, nothing that reads it is left.
pub async fn run(mut completion: Completion, session: Arc<Session>, write: Write) {
    let closing = completion.pass.closing();
    let sending = send_all(write.rows, write.in_flight_max, &mut completion.report, |group| {
        send(&session, &write, group)
    });
    select(pin!(sending), pin!(closing)).await;
}

/// Sends one group: a row as it is, several as one unlogged batch.
async fn send(session: &Session, write: &Write, group: Range<usize>) -> Result<(), Fault> {
    let rows = &write.rows[group];
    tokio::time::timeout(write.timeout, async {
        let first = write.statement(&rows[0])?;
        if let [row] = rows {
            session.execute_unpaged(first.prepared(), write.cells(row)?).await?;
            return Ok(());
        }
        let batch = if rows.iter().all(|row| row.statement == rows[0].statement) {
            first.batch(rows.len())
        } else {
            let statements: Vec<_> =
                rows.iter().map(|row| write.statement(row)).collect::<Result<_, _>>()?;
            Arc::new(unlogged(statements.iter().map(|statement| statement.prepared())))
        };
        let values: Vec<_> = rows.iter().map(|row| write.cells(row)).collect::<Result<_, _>>()?;
        session.batch(&batch, values).await?;
        Ok(())
    })
    .await
    .unwrap_or_else(|_| Err(Fault::timeout(write.timeout)))
}

impl Write {
    fn statement(&self, row: &SlcRow) -> Result<&Statement, Fault> {
        self.statements.get(row.statement as usize).map(Arc::as_ref).ok_or_else(|| {
            Fault::usage(format!(
                "a row names statement {} of {}",
                row.statement,
                self.statements.len()
            ))
        })
    }

    fn cells(&self, row: &SlcRow) -> Result<Cells<'static>, Fault> {
        Cells::at(self.cells, row.cells_offset, row.cells_size)
            .map_err(|malformed| Fault::usage(malformed.to_string()))
    }
}
