// Dead letters on their way back into their tables.
#include <algorithm>
#include <array>
#include <thread>

#include "base/backoff.hpp"
#include "sinks/events.hpp"
#include "sinks/findings.hpp"
#include "sinks/postgres/layout.hpp"
#include "sinks/postgres/letters.hpp"
#include "sinks/postgres/offsets.hpp"
#include "sinks/postgres/replayed.hpp"
#include "sinks/postgres/resolve.hpp"
#include "sinks/postgres/statements.hpp"

namespace sluice::postgres {
namespace {

using namespace std::chrono_literals;

constexpr auto statement_wait = 75s;
// Of a transaction that the server gave up: a deadlock, a lock that was not to be had.
constexpr unsigned attempts_max = 5;

Error at(const LetterKey& key, Error error) {
    error.where = key.where() + (error.where.empty() ? "" : ", " + error.where);
    return error;
}

Error unanswered(Error error) {
    error.action = Action::verify;
    error.detail = "COMMIT was not answered: the letter is gone if it was replayed (" +
                   error.detail + ")";
    return error;
}

class PostgresLetterWriter final : public LetterWriter {
public:
    PostgresLetterWriter(Connection connection, OffsetsTable offsets, ReplayedTable replayed,
                         Resolved resolved)
        : connection_(std::move(connection)),
          offsets_(std::move(offsets)),
          replayed_(std::move(replayed)),
          routes_(std::move(resolved.routes)),
          plans_(std::move(resolved.plans)) {}

    [[nodiscard]] std::span<const Route> routes() const override { return routes_; }

    Result<std::optional<Uuid>> topic_id(const std::string& topic) override {
        const Deadline deadline = Deadline::in(statement_wait);
        auto there = offsets_.find(connection_, deadline);
        if (!there) {
            return fail(std::move(there).error().error);
        }
        if (!*there) {
            return std::optional<Uuid>{};
        }
        auto positions = offsets_.read(connection_, topic, deadline);
        if (!positions) {
            return fail(std::move(positions).error().error);
        }
        return positions->empty() ? std::optional<Uuid>{}
                                  : std::optional(positions->front().topic_id);
    }

    Result<bool> replay(std::uint32_t route, const StoredLetter& letter, const Record& record,
                        std::span<const Row> rows) override {
        const LetterKey& key = letter.info.key;
        SLUICE_ASSIGN(const Batch batch, encode(route, record, rows));
        for (unsigned attempt = 1;; ++attempt) {
            auto written = write(batch, letter.info);
            if (written) {
                return *written;
            }
            Failure& failure = written.error();
            if (!failure.lost && !connection_.idle_transaction()) {
                if (auto rolled_back = connection_.script("ROLLBACK", Deadline::in(statement_wait));
                    !rolled_back) {
                    return fail(at(key, std::move(rolled_back).error().error));
                }
            }
            const bool passing = failure.error.action == Action::retry && !failure.lost;
            if (!passing || attempt == attempts_max) {
                return fail(at(key, std::move(failure).error));
            }
            std::this_thread::sleep_for(backoff_.wait(attempt));
        }
    }

private:
    [[nodiscard]] Result<Batch> encode(std::uint32_t route, const Record& record,
                                       std::span<const Row> rows) const {
        Piece piece{.partition = *record.partition,
                    .route = route,
                    .epoch = 0,
                    .from = record.offset,
                    .to = record.offset.next(),
                    .records = rows.empty() ? 0U : 1U,
                    .tables = std::vector<TableRows>(plans_[route].size())};
        for (const auto& row : rows) {
            SLUICE_TRY(
                append_row(plans_[route][row.target], record, row, piece.tables[row.target]));
        }
        Batch batch(route);
        batch.add(std::move(piece));
        return batch;
    }

    // The letter is taken first: of two replays at once the second waits here for the first one's
    // end, and then takes nothing.
    Outcome<bool> write(const Batch& batch, const LetterInfo& letter) {
        const auto& plans = plans_[batch.route()];
        const Deadline deadline = Deadline::in(statement_wait);
        if (auto opened = offsets_.open(connection_, deadline); !opened) {
            return tl::unexpected(std::move(opened).error());
        }
        auto taken = connection_.script(take_sql(plans.back(), letter) + layout_query(plans),
                                        deadline, "postgres.dlq");
        if (!taken) {
            return tl::unexpected(std::move(taken).error());
        }
        if (taken->front().affected() != 1) {
            auto rolled_back = connection_.script("ROLLBACK", deadline);
            return rolled_back ? Outcome<bool>(false)
                               : tl::unexpected(std::move(rolled_back).error());
        }
        if (auto changed = changed_columns(plans, taken->back())) {
            return tl::unexpected(
                Failure{.error = *std::move(changed), .copy_line = {}, .column = {}});
        }
        const auto slices = batch.slices({.first = 0, .count = batch.records()});
        if (auto written = write_rows(connection_, batch, slices, plans, deadline); !written) {
            return tl::unexpected(std::move(written.error().failure));
        }
        if (auto checked = connection_.script("SET CONSTRAINTS ALL IMMEDIATE", deadline);
            !checked) {
            return tl::unexpected(std::move(checked).error());
        }
        if (auto committed = connection_.script("COMMIT", deadline); !committed) {
            committed.error().error = unanswered(std::move(committed.error().error));
            return tl::unexpected(std::move(committed).error());
        }
        return true;
    }

    [[nodiscard]] std::string take_sql(const TablePlan& last, const LetterInfo& letter) const {
        if (!last.dead_letters) {
            return replayed_.take(letter);
        }
        const LetterKey& key = letter.key;
        return "DELETE FROM " + last.quoted + " WHERE ctid = " + quote_literal(key.handle) +
               "::tid AND kafka_topic = " + quote_literal(key.partition.topic) +
               " AND kafka_partition = " + std::to_string(key.partition.partition.value()) +
               " AND kafka_offset = " + std::to_string(key.offset.value()) + "; ";
    }

    Connection connection_;
    OffsetsTable offsets_;
    ReplayedTable replayed_;
    std::vector<Route> routes_;
    std::vector<std::vector<TablePlan>> plans_;
    Backoff backoff_;
};

Error missing_table(const MissingTable& table) {
    return {.action = Action::configure,
            .op = "postgres.table",
            .where = {},
            .code = "42P01",
            .detail = "table " + table.name.quoted() + " does not exist",
            .hint = "`sluice run` makes it"};
}

}  // namespace

Result<std::unique_ptr<LetterWriter>> open_letter_writer(const DestinationOptions& options,
                                                         std::span<const Route> routes,
                                                         Deadline deadline) {
    auto connection = Connection::open(connect_options(options, nullptr), deadline);
    if (!connection) {
        return fail(std::move(connection).error().error);
    }
    const OffsetsTable offsets(options.schema, options.pipeline);
    auto resolved = resolve(*connection, routes,
                            {.own_schema = options.schema, .begun = {}, .create = false}, deadline);
    if (!resolved) {
        return fail(std::move(resolved).error().error);
    }
    if (!resolved->problems.empty()) {
        return fail(all_problems(resolved->problems));
    }
    if (!resolved->missing.empty()) {
        return fail(missing_table(resolved->missing.front()));
    }
    ReplayedTable replayed(options.schema, options.pipeline);
    if (!has_dead_letters(routes)) {
        if (auto made = replayed.prepare(*connection, deadline); !made) {
            return fail(std::move(made).error().error);
        }
    }
    return std::make_unique<PostgresLetterWriter>(std::move(*connection), offsets,
                                                  std::move(replayed), std::move(*resolved));
}

}  // namespace sluice::postgres
