//! A prepared statement, and batches of it made once and used for every batch of that size.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use scylla::statement::batch::{Batch, BatchStatement, BatchType};
use scylla::statement::prepared::PreparedStatement;

/// Clones of one statement kept in batches of all sizes: a few MiB. Past it the cache is emptied.
const CLONES_CACHED_MAX: usize = 16_384;

pub struct Statement {
    prepared: PreparedStatement,
    batches: Mutex<Batches>,
}

#[derive(Default)]
struct Batches {
    by_size: HashMap<usize, Arc<Batch>>,
    clones: usize,
}

impl Statement {
    pub fn new(mut prepared: PreparedStatement) -> Self {
        // The caller binds the timestamp, so the same row twice is the same row.
        prepared.set_is_idempotent(true);
        Self { prepared, batches: Mutex::default() }
    }

    pub fn prepared(&self) -> &PreparedStatement {
        &self.prepared
    }

    /// An unlogged batch of `size` times this statement. Making one costs more than sending it.
    pub fn batch(&self, size: usize) -> Arc<Batch> {
        let mut cache = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = cache.by_size.get(&size) {
            return Arc::clone(batch);
        }
        let batch = Arc::new(unlogged(std::iter::repeat_n(&self.prepared, size)));
        if size <= CLONES_CACHED_MAX {
            if cache.clones + size > CLONES_CACHED_MAX {
                *cache = Batches::default();
            }
            cache.clones += size;
            cache.by_size.insert(size, Arc::clone(&batch));
        }
        batch
    }
}

/// One unlogged batch of these statements. It has no timestamp of its own: each row binds its own.
pub fn unlogged<'a>(statements: impl Iterator<Item = &'a PreparedStatement>) -> Batch {
    let statements = statements.map(|s| BatchStatement::PreparedStatement(s.clone())).collect();
    let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
    batch.set_is_idempotent(true);
    batch
}
