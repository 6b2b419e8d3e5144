#include "sinks/postgres/pass.hpp"

#include <algorithm>
#include <array>

#include "sinks/findings.hpp"
#include "sinks/postgres/offsets.hpp"
#include "sinks/postgres/resolve.hpp"
#include "sinks/postgres/statements.hpp"

namespace sluice::postgres {
namespace {

// The letter as the only row of a batch; an empty batch without a table.
Result<Batch> make_batch(std::span<const std::vector<TablePlan>> plans, const Record& record,
                         const Error& error) {
    Batch batch(0);
    if (plans.empty()) {
        return batch;
    }
    Piece piece{.partition = *record.partition,
                .route = 0,
                .epoch = 0,
                .from = record.offset,
                .to = record.offset.next(),
                .records = 1,
                .tables = std::vector<TableRows>(1)};
    DeadLetterMapper mapper;
    SLUICE_TRY(append_row(plans[0][0], record, mapper.map(record, error, 0), piece.tables[0]));
    batch.add(std::move(piece));
    return batch;
}

Outcome<void> write(Connection& connection, const Batch& batch, std::span<const TablePlan> plans,
                    Deadline deadline) {
    if (!batch.empty()) {
        const auto slices = batch.slices({.first = 0, .count = batch.records()});
        if (auto written = write_rows(connection, batch, slices, plans, deadline); !written) {
            return tl::unexpected(std::move(written.error().failure));
        }
    }
    auto committed = connection.script("SET CONSTRAINTS ALL IMMEDIATE; COMMIT", deadline);
    if (!committed && committed.error().lost) {
        Failure failure = std::move(committed).error();
        failure.error.action = Action::verify;
        failure.error.hint = "whether the record is passed over is not known: the same command "
                             "again tells where the progress stands";
        return tl::unexpected(std::move(failure));
    }
    return committed.map([](const std::vector<Rows>&) {});
}

}  // namespace

Result<std::optional<Position>> progress_on(const DestinationOptions& options,
                                            const TopicPartition& partition, Deadline deadline) {
    auto connection = Connection::open(connect_options(options, nullptr), deadline);
    if (!connection) {
        return fail(std::move(connection).error().error);
    }
    const OffsetsTable offsets(options.schema, options.pipeline);
    auto there = offsets.find(*connection, deadline);
    if (!there) {
        return fail(std::move(there).error().error);
    }
    if (!*there) {
        return std::optional<Position>{};
    }
    auto positions = offsets.read(*connection, partition.topic, deadline);
    if (!positions) {
        return fail(std::move(positions).error().error);
    }
    const auto found = std::ranges::find(*positions, partition, &Position::partition);
    return found == positions->end() ? std::optional<Position>{} : std::optional(*found);
}

Result<bool> pass_over(const DestinationOptions& options, const Advance& advance,
                       std::span<const Route> letters, const Record& record, const Error& error,
                       Deadline deadline) {
    auto connection = Connection::open(connect_options(options, nullptr), deadline);
    if (!connection) {
        return fail(std::move(connection).error().error);
    }
    const OffsetsTable offsets(options.schema, options.pipeline);
    auto resolved = resolve(*connection, letters,
                            {.own_schema = options.schema, .begun = {}, .create = true}, deadline);
    if (!resolved) {
        return fail(std::move(resolved).error().error);
    }
    if (!resolved->problems.empty()) {
        return fail(all_problems(resolved->problems));
    }
    SLUICE_ASSIGN(const Batch batch, make_batch(resolved->plans, record, error));
    auto advanced = offsets.advance(*connection, std::array{advance}, "", deadline);
    if (!advanced) {
        return fail(std::move(advanced).error().error);
    }
    if (advanced->matched != 1) {
        return false;  // The connection's end rolls back.
    }
    auto written = write(*connection, batch,
                         letters.empty() ? std::span<const TablePlan>() : resolved->plans.front(),
                         deadline);
    if (!written) {
        return fail(std::move(written).error().error);
    }
    return true;
}

}  // namespace sluice::postgres
