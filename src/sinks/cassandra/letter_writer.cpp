// Dead letters on their way back into their tables.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <future>
#include <thread>

#include "base/backoff.hpp"
#include "sinks/cassandra/bridge.hpp"
#include "sinks/cassandra/chunk.hpp"
#include "sinks/cassandra/database.hpp"
#include "sinks/cassandra/letters.hpp"

namespace sluice::cassandra {
namespace {

using namespace std::chrono_literals;

constexpr auto remove_wait = 10s;
constexpr auto answer_wait = 15s;  // The driver's own answer comes first.
constexpr auto read_wait = 10s;
// A timeout is an unknown outcome: the identical rows are sent again, under the same timestamps.
constexpr unsigned attempts_max = 5;

// Lives until the driver has answered, whoever still waits: with the chunk that it reads.
struct Writing {
    Chunk chunk;
    std::promise<WriteOutcome> outcome;
};

class Answered final : public WriteListener {
public:
    explicit Answered(std::shared_ptr<Writing> writing) : writing_(std::move(writing)) {}
    void done(WriteOutcome outcome) noexcept override {
        writing_->outcome.set_value(std::move(outcome));
    }

private:
    std::shared_ptr<Writing> writing_;
};

struct Cells {
    const Record& record;
    ClockMicros clock;
    std::span<const Row> rows;
};

Result<void> add(const Database& database, std::uint32_t route, const Cells& cells, Chunk& chunk) {
    chunk.start(1, route);
    const auto piece = chunk.add_piece(*cells.record.partition, cells.record.offset);
    for (const auto& row : cells.rows) {
        SLUICE_TRY(database.add(chunk, piece, cells.record, cells.clock, row));
    }
    chunk.list(false);
    return {};
}

// One attempt.
Result<void> send(Database& database, std::uint32_t route, const Cells& cells) {
    const auto writing = std::make_shared<Writing>();
    SLUICE_TRY(add(database, route, cells, writing->chunk));
    const Chunk& chunk = writing->chunk;
    if (chunk.wire().empty()) {
        return {};
    }
    auto answer = writing->outcome.get_future();
    SLUICE_TRY(database.write(chunk, std::make_unique<Answered>(writing)));
    if (answer.wait_for(answer_wait) != std::future_status::ready) {
        return fail({.action = Action::retry,
                     .op = "cassandra.write",
                     .where = {},
                     .code = "timeout",
                     .detail = "no answer within 15 s",
                     .hint = {}});
    }
    WriteOutcome outcome = answer.get();
    if (outcome.failures.empty()) {
        return {};
    }
    const auto& failure = outcome.failures.front();
    Error error = std::move(outcome.errors[failure.error]);
    error.where = "table " + database.table_of(chunk.statement_of(chunk.row_at(failure.row)));
    return fail(std::move(error));
}

Result<void> write(Database& database, std::uint32_t route, const Cells& cells) {
    Backoff backoff;
    for (unsigned attempt = 1;; ++attempt) {
        auto sent = send(database, route, cells);
        const bool passing = !sent && (sent.error().action == Action::retry ||
                                       sent.error().action == Action::verify);
        if (!passing || attempt == attempts_max) {
            return sent;
        }
        std::this_thread::sleep_for(backoff.wait(attempt));
    }
}

Error no_clock(const Record& record) {
    return {.action = Action::reject,
            .op = "cassandra.dlq",
            .where = record.where(),
            .code = {},
            .detail = "the letter has no write clock (header sluice.clock)",
            .hint = "under which timestamp it is to be written can't be told"};
}

class Writer final : public LetterWriter {
public:
    explicit Writer(std::unique_ptr<Database> database) : database_(std::move(database)) {}

    [[nodiscard]] std::span<const Route> routes() const override { return database_->routes(); }

    Result<std::optional<Uuid>> topic_id(const std::string& topic) override {
        SLUICE_ASSIGN(
            const auto positions,
            database_->progress().stored(database_->session(), topic, Deadline::in(read_wait)));
        return positions.empty() ? std::optional<Uuid>{}
                                 : std::optional(positions.front().topic_id);
    }

    Result<bool> replay(std::uint32_t route, const StoredLetter& letter, const Record& record,
                        std::span<const Row> rows) override {
        if (letter.clock == ClockMicros{0}) {
            return fail(no_clock(record));
        }
        auto written = write(*database_, route, {record, letter.clock, rows});
        if (written && routes()[route].targets.back().dead_letters) {
            written = remove(route, letter);
        }
        if (!written) {
            Error error = std::move(written).error();
            if (!error.where.starts_with(record.where())) {
                error.where = record.where() + (error.where.empty() ? "" : ", " + error.where);
            }
            return fail(std::move(error));
        }
        return true;
    }

private:
    // A delete wins over what is as old as it.
    Result<void> remove(std::uint32_t route, const StoredLetter& letter) {
        const auto target = static_cast<std::uint32_t>(routes()[route].targets.size() - 1);
        const TablePlan& plan = database_->plan(route, target);
        const bool buckets = std::ranges::find(plan.binds, Fill::bucket, &Bind::fill) !=
                             plan.binds.end();
        const LetterKey& key = letter.info.key;
        const auto& name = database_->table_of(
            database_->statement(database_->table(route, target), RowOp::put));
        const auto dot = name.find('.');
        SLUICE_TRY(database_->session().query(
            fmt::format(
                "DELETE FROM {}.{} USING TIMESTAMP {} WHERE kafka_topic = {} AND "
                "kafka_partition = {}{} AND kafka_offset = {}",
                quote_identifier(name.substr(0, dot)), quote_identifier(name.substr(dot + 1)),
                letter.clock.value(), quote_text(key.partition.topic),
                key.partition.partition.value(),
                buckets ? fmt::format(" AND bucket = {}", key.offset.value() / bucket_offsets) : "",
                key.offset.value()),
            Deadline::in(remove_wait)));
        return {};
    }

    std::unique_ptr<Database> database_;
};

}  // namespace

Result<std::unique_ptr<LetterWriter>> open_letter_writer(const DestinationOptions& options,
                                                         std::span<const Route> routes,
                                                         const Logger& log, Deadline deadline) {
    SLUICE_ASSIGN(auto database, Database::open(options, routes, log, deadline));
    return std::make_unique<Writer>(std::move(database));
}

Result<void> write_letter(const DestinationOptions& options, std::span<const Route> routes,
                          const Record& record, ClockMicros clock, const Error& error,
                          const Logger& log, Deadline deadline) {
    SLUICE_ASSIGN(auto database, Database::open(options, routes, log, deadline));
    DeadLetterMapper mapper;
    const Row row = mapper.map(record, error, 0);
    return write(*database, 0, {record, clock, std::span(&row, 1)});
}

}  // namespace sluice::cassandra
