// What an outcome says of a chunk: whose fault it is that a row was not written.
#include <algorithm>
#include <set>
#include <tuple>

#include "sinks/cassandra/flow.hpp"

namespace sluice::cassandra {
namespace {

// A row that is invalid on its own is tried this often before it, or its table, is blamed.
constexpr unsigned refusals_max = 3;
// A record without neighbours is blamed after its table was read so often, over eight seconds:
// longer than nodes need to agree on a schema, and no longer than an idle topic may be held up.
constexpr unsigned confirmations_max = 5;
// So many records of a statement that fail alike, and none that passes, are the table's fault, as
// with PostgreSQL. Less would take a burst of bad records for it.
constexpr std::size_t blamed_max = 16;

Error rejected(Error error, const TopicPartition& partition, Offset offset) {
    error.action = Action::reject;
    const std::string table = std::exchange(error.where, partition.at(offset));
    error.where += table.empty() ? "" : ", table " + table;
    return error;
}

// Records that are invalid, by statement.
std::map<std::uint32_t, std::size_t> suspects_of(const Chunk& chunk, const WriteOutcome& outcome) {
    std::set<std::tuple<std::uint32_t, std::uint32_t, Offset>> records;
    for (const auto& failure : outcome.failures) {
        const std::uint32_t row = chunk.row_at(failure.row);
        if (outcome.errors[failure.error].code == code_invalid && chunk.is_open(row)) {
            records.emplace(chunk.statement_of(row), chunk.piece_of(row), chunk.offset_of(row));
        }
    }
    std::map<std::uint32_t, std::size_t> suspects;
    for (const auto& [statement, piece, offset] : records) {
        ++suspects[statement];
    }
    return suspects;
}

}  // namespace

void Flow::settle_passed(Load& load, const WriteOutcome& outcome) {
    Chunk& chunk = load.chunk;
    auto failed = outcome.failures.begin();
    for (std::uint32_t i = 0; i < chunk.wire().size(); ++i) {
        if (failed != outcome.failures.end() && failed->row == i) {
            ++failed;
            continue;
        }
        const std::uint32_t row = chunk.row_at(i);
        StatementState& state = state_of(chunk.statement_of(row));
        state = {.passed_at = std::max(state.passed_at, load.sent_at), .blamed = 0};
        chunk.settle(row);
    }
}

Flow::Verdict Flow::judge(Load& load, const WriteOutcome& outcome) {
    Verdict verdict;
    const auto has = [&](std::string_view code) {
        return std::ranges::find(outcome.errors, code, &Error::code) != outcome.errors.end();
    };
    const bool refused = has(code_unprepared) || has(code_invalid);
    if (refused) {
        load.refused_before = std::exchange(load.refused_at, outcomes_);
    }
    if (refused && (load.alone || has(code_unprepared)) && ++load.refusals == 1) {
        load.confirmations = 0;
    }
    if (load.alone && load.confirmations >= confirmations_max) {
        verdict.suspects = suspects_of(load.chunk, outcome);
        // Remembered until a row passes: the chunk that has shown it may lose its partitions.
        for (const auto& [statement, records] : verdict.suspects) {
            StatementState& state = state_of(statement);
            state.blamed = state.blamed + records >= blamed_max ? blamed_max : state.blamed;
        }
    }
    for (const auto& failure : outcome.failures) {
        const std::uint32_t row = load.chunk.row_at(failure.row);
        if (load.chunk.has_passed(row) && outcome.errors[failure.error].code == code_invalid) {
            verdict.changed.insert(load.chunk.statement_of(row));
        }
    }
    for (const auto& failure : outcome.failures) {
        judge_row(load, load.chunk.row_at(failure.row), outcome.errors[failure.error], verdict);
    }
    return verdict;
}

void Flow::judge_row(Load& load, std::uint32_t row, const Error& error, Verdict& verdict) {
    if (error.action == Action::retry && error.code != code_unprepared) {
        // The rows behind a timeout fail too, and their reason says less.
        if (!verdict.database || verdict.database->code == code_not_sent) {
            verdict.database = error;
        }
        return;
    }
    if (!load.chunk.is_open(row)) {
        return;  // Of a partition that is no longer ours.
    }
    const TopicPartition* partition = load.chunk.pieces()[load.chunk.piece_of(row)].partition;
    if (error.action == Action::stop) {
        refuse(*partition, error);
        return;
    }
    const bool invalid = error.code == code_invalid;
    if (invalid && !load.alone) {
        verdict.isolate = true;
        return;
    }
    const Blame whose = invalid ? blame(load, row, error, verdict) : Blame::table;
    if (whose == Blame::record) {
        std::optional<std::uint32_t> blamed_by;
        if (!is_too_large(error) && !has_neighbour(load, row)) {
            blamed_by = load.chunk.statement_of(row);
        }
        verdict.rejections.push_back(
            {.piece = load.chunk.piece_of(row),
             .partition = partition,
             .offset = load.chunk.offset_of(row),
             .clock = load.chunk.clock_of(row),
             .error = rejected(error, *partition, load.chunk.offset_of(row)),
             .letter = load.chunk.is_letter(row),
             .blamed_by = blamed_by});
        return;
    }
    const bool doubtful = invalid || error.code == code_unprepared;
    verdict.certain = verdict.certain || !doubtful || load.refusals >= refusals_max;
    verdict.alike = whose == Blame::alike && (verdict.alike || !verdict.table);
    verdict.table = error;
}

Flow::StatementState& Flow::state_of(std::uint32_t statement) {
    if (statement >= statements_.size()) {
        statements_.resize(statement + 1);
    }
    return statements_[statement];
}

bool Flow::has_neighbour(const Load& load, std::uint32_t row) {
    return state_of(load.chunk.statement_of(row)).passed_at >= load.refused_before;
}

Flow::Blame Flow::blame(const Load& load, std::uint32_t row, const Error& error,
                        const Verdict& verdict) {
    if (is_too_large(error)) {
        return Blame::record;
    }
    if (load.chunk.is_letter(row)) {
        return Blame::table;  // The dead letters need a table that takes every record.
    }
    const std::uint32_t statement = load.chunk.statement_of(row);
    if (load.refusals < refusals_max || verdict.changed.contains(statement)) {
        return Blame::table;
    }
    if (has_neighbour(load, row)) {
        return Blame::record;
    }
    const auto suspects = verdict.suspects.find(statement);
    const std::size_t records = suspects == verdict.suspects.end() ? 0 : suspects->second;
    if (state_of(statement).blamed + records >= blamed_max) {
        return Blame::alike;
    }
    return records > 0 ? Blame::record : Blame::table;
}

}  // namespace sluice::cassandra
