//! Counts the writes under way, so that closing can end them and wait for them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub struct Gate {
    state: Mutex<State>,
    idle: Condvar,
    closing: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    closed: bool,
    running: usize,
}

/// Held by one write until its `done` has returned.
pub struct Pass {
    gate: Arc<Gate>,
}

impl Gate {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            idle: Condvar::new(),
            closing: watch::Sender::new(false),
        })
    }

    /// None once the gate is closed.
    pub fn enter(self: &Arc<Self>) -> Option<Pass> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.running += 1;
        Some(Pass { gate: Arc::clone(self) })
    }

    /// Lets no more writes in, tells those under way, and waits for them. False: some still run.
    pub fn close(&self, deadline: Instant) -> bool {
        self.lock().closed = true;
        self.closing.send_replace(true);
        let mut state = self.lock();
        while state.running > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return false;
            }
            state = self.idle.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Ends when the gate closes.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closing = self.gate.closing.subscribe();
        async move {
            // The sender lives as long as any pass, so this is never an error.
            let _ = closing.wait_for(|closed| *closed).await;
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.lock().running -= 1;
        self.gate.idle.notify_all();
    }
}
