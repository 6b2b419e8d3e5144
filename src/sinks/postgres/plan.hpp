// A target resolved against the real table: which column takes which cell.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/target.hpp"
#include "sinks/postgres/catalog.hpp"

namespace sluice::postgres {

// Columns stand in the order of the row's cells; an upsert's key columns come first.
struct TablePlan {
    std::string name;    // As configured, for messages.
    std::string quoted;  // For statements.
    Mode mode = Mode::append;
    std::vector<Column> columns;
    std::size_t key_size = 0;
    std::size_t version = 0;  // upsert_newer: which column.
    bool dead_letters = false;
};

// Every problem that keeps `target` from being written to `table`, each an Error whose `where`
// is the column (or empty). Empty: it fits.
std::vector<Error> find_problems(const Target& target, const Table& table);

// The target with its columns filled in: given ones ordered key first; else by name (the
// zero-config names for an events table, `value.<column>` otherwise).
Target complete(const Target& target, const Table& table);
// `target` is complete and without problems.
TablePlan make_plan(const Target& target, const Table& table);

}  // namespace sluice::postgres
