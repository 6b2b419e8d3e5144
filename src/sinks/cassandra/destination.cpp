#include "sinks/cassandra/destination.hpp"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "base/backoff.hpp"
#include "base/check.hpp"
#include "base/failpoint.hpp"
#include "sinks/cassandra/database.hpp"
#include "sinks/cassandra/flow.hpp"
#include "sinks/cassandra/mailbox.hpp"

namespace sluice::cassandra {
namespace {

using namespace std::chrono_literals;

// Measured (see README.md): more under way only lengthens the server's queues.
constexpr std::size_t chunks_sending_max = 2;
// Polls that wait are joined up to here: larger chunks make no larger batches.
constexpr std::size_t joined_bytes_max = 512u << 10;
// How long the brokers may take to acknowledge a dead letter before it is tried again; the lane
// waits for it.
constexpr auto settle_wait = 1s;
// After "invalid" the server has just answered, so this is rarely long; the lane waits for it.
constexpr auto refresh_wait = 2s;

// What the lane's thread keeps of a partition that is ours.
struct PartitionState {
    bool ready = false;
    bool stopped = false;  // By Rejected or Refused: what still comes is ignored.
    bool touched = false;  // Since the last seal.
    Offset next;           // The end of what was sealed.
    Offset to;             // Behind the last record that was delivered.
    std::uint32_t route = 0;
    std::uint64_t chunk = 0;  // The chunk that `piece` belongs to.
    std::uint32_t piece = 0;
};

class CassandraDestination final : public Destination {
public:
    CassandraDestination(DestinationOptions options, std::vector<Route> routes, Logger log)
        : options_(std::move(options)),
          log_(std::move(log)),
          routes_(std::move(routes)),
          buries_(options_.dead_letter_topic || has_dead_letters(routes_)),
          open_(routes_.size()),
          flow_(
              routes_.size(), chunks_sending_max,
              [backoff = Backoff()](unsigned attempt) mutable { return backoff.wait(attempt); },
              buries_ ? Flow::Bury(std::bind_front(&CassandraDestination::bury_refused, this))
                      : Flow::Bury(),
              options_.room.value() / (4 * routes_.size())),
          mailbox_(std::make_shared<Mailbox>()) {}

    ~CassandraDestination() override { close(Deadline::in(0ms)); }

    [[nodiscard]] std::span<const Route> routes() const override {
        return database_ ? database_->routes() : routes_;
    }
    [[nodiscard]] const Uuid& id() const override { return id_; }
    [[nodiscard]] bool progress_in_group() const override { return true; }

    Result<void> open(Deadline deadline) override {
        database_.reset();
        SLUICE_ASSIGN(database_, Database::open(options_, routes_, log_, deadline));
        id_ = database_->id();
        return {};
    }

    Result<std::vector<Position>> stored(const std::string& topic, Deadline deadline) override {
        return database_->progress().stored(database_->session(), topic, deadline);
    }

    Result<ClockMicros> first_clock(const std::string& topic, Deadline deadline) override {
        return database_->progress().first_clock(database_->session(), topic, deadline);
    }

    Result<void> begin(std::span<const Position> positions, Deadline deadline) override {
        SLUICE_TRY(database_->check_afresh(positions, deadline));
        return database_->progress().begin(database_->session(), positions, deadline);
    }

    void save(std::span<const Position> positions) override {
        database_->progress().save(database_->session(), positions);
    }

    void acquire(const AcquireRequest& request) override {
        check(request.next.has_value(), "the group's progress says where to start");
        abandon(std::array{request.partition});
        PartitionState& state = states_[request.partition];
        state = {.ready = true, .next = *request.next, .to = *request.next};
        ready_.push_back({request.partition, *request.next});
    }

    void release(std::span<const TopicPartition> partitions, Deadline deadline) override {
        pump();
        while (flow_.busy_with(partitions) && !deadline.passed()) {
            wait(deadline);
            pump();
        }
        forget(partitions);
    }

    void abandon(std::span<const TopicPartition> partitions) override {
        forget(partitions);
        for (const auto& partition : partitions) {
            flow_.discard_events(partition);
            std::erase_if(ready_, [&](const Ready& ready) { return ready.partition == partition; });
        }
    }

    Result<void> add(std::uint32_t route, const Record& record, ClockMicros clock,
                     const Row& row) override {
        PartitionState& state = state_of(record, route);
        if (state.stopped) {
            return {};
        }
        Chunk& chunk = open_chunk(route);
        const std::uint32_t piece = piece_of(state, chunk);
        auto added = database_->add(chunk, piece, record, clock, row);
        if (!added) {
            chunk.roll_back(piece, record.offset);
        }
        return added;
    }

    Result<void> bury(std::uint32_t route, const Record& record, ClockMicros clock,
                      const Error& error) override {
        PartitionState& state = state_of(record, route);
        if (state.stopped) {
            return {};
        }
        Chunk& chunk = open_chunk(route);
        const std::uint32_t piece = piece_of(state, chunk);
        if (options_.dead_letter_topic) {
            options_.dead_letter_topic->send(record, clock, error);
        } else {
            SLUICE_TRY(add_letter(chunk, piece, record, clock, error));
        }
        note_letter(chunk.pieces()[piece], record.offset, error);
        return {};
    }

    void end_record(std::uint32_t route, const Record& record, ClockMicros clock) override {
        PartitionState& state = state_of(record, route);
        if (state.stopped) {
            return;
        }
        Chunk& chunk = open_chunk(route);
        Piece& piece = chunk.pieces()[piece_of(state, chunk)];
        const bool buried = !piece.letters.empty() && piece.letters.back().offset == record.offset;
        if (buries_ && !buried) {
            piece.kept.add(record, clock);
        }
        state.to = record.offset.next();
    }

    std::vector<OffsetRange> seal() override {
        std::vector<OffsetRange> sealed;
        for (const auto& [partition, state] : touched_) {
            state->touched = false;
            if (!state->stopped && state->to > state->next) {
                open_[state->route]->chunk.pieces()[state->piece].to = state->to;
                sealed.push_back({*partition, state->next, state->to});
                state->next = state->to;
            }
        }
        touched_.clear();
        last_partition_ = nullptr;
        for (auto& load : open_) {
            if (load) {
                flow_.add(std::exchange(load, nullptr));
            }
        }
        pump();
        return sealed;
    }

    Result<void> add_columns(std::uint32_t route, std::uint32_t target,
                             std::span<const ColumnShape> columns, Deadline deadline) override {
        return database_->add_columns(route, target, routes_[route], columns, deadline);
    }

    bool wait_for_room(Deadline deadline) override {
        pump();
        while (!has_room() && !has_events() && !deadline.passed()) {
            wait(deadline);
            pump();
        }
        return has_room();
    }

    [[nodiscard]] bool busy() const override { return flow_.busy(); }
    [[nodiscard]] WriteCounts counts() const override { return flow_.counts(); }
    [[nodiscard]] WaitingBytes waiting() const override { return flow_.waiting(); }

    std::vector<DestinationEvent> take_events() override {
        pump();
        std::vector<DestinationEvent> events(ready_.begin(), ready_.end());
        ready_.clear();
        for (auto& event : flow_.take_events()) {
            if (const auto* rejected = std::get_if<Rejected>(&event)) {
                stop(rejected->partition);
            } else if (const auto* refused = std::get_if<Refused>(&event)) {
                stop(refused->partition);
            }
            events.push_back(std::move(event));
        }
        return events;
    }

    void close(Deadline deadline) override {
        if (!database_) {
            return;
        }
        pump();
        while (flow_.busy() && !deadline.passed()) {
            wait(deadline);
            pump();
        }
        database_->session().close(deadline);
        database_.reset();
    }

private:
    [[nodiscard]] bool has_room() const {
        const WaitingBytes waiting = flow_.waiting();
        return waiting.moving < room_beside(waiting.aside, options_.room, routes_.size());
    }
    [[nodiscard]] bool has_events() const { return !ready_.empty() || flow_.has_events(); }

    // Until something may have changed.
    void wait(Deadline deadline) {
        const TimePoint until = std::chrono::steady_clock::now() + deadline.left();
        mailbox_->wait(std::min(flow_.due().value_or(until), until));
    }

    // Everything that can be done now, without waiting.
    void pump() {
        for (auto& mail : mailbox_->take()) {
            failpoint("cassandra.acknowledged");
            if (database_) {
                database_->name_tables(mail.load->chunk, mail.outcome);
            }
            flow_.done(mail.load, mail.outcome, std::chrono::steady_clock::now());
        }
        if (!database_) {
            return;
        }
        while (const auto route = flow_.stale(std::chrono::steady_clock::now())) {
            auto refreshed = database_->refresh(*route, Deadline::in(refresh_wait));
            flow_.refreshed(*route,
                            refreshed ? std::nullopt : std::optional(std::move(refreshed).error()),
                            std::chrono::steady_clock::now());
        }
        while (const auto load = flow_.next(std::chrono::steady_clock::now())) {
            send(load);
        }
    }

    void send(const LoadPtr& load) {
        failpoint("cassandra.before_write");
        auto sent = database_->write(load->chunk, std::make_unique<ChunkListener>(mailbox_, load));
        if (!sent) {
            WriteOutcome outcome{.errors = {std::move(sent).error()}, .failures = {}};
            for (std::uint32_t i = 0; i < load->chunk.wire().size(); ++i) {
                outcome.failures.push_back({i, 0});
            }
            flow_.done(load, outcome, std::chrono::steady_clock::now());
        }
    }

    // To the table of dead letters.
    Result<void> add_letter(Chunk& chunk, std::uint32_t piece, const Record& record,
                            ClockMicros clock, const Error& error) {
        const auto target = static_cast<std::uint32_t>(routes_[chunk.route()].targets.size() - 1);
        return database_->add(chunk, piece, record, clock,
                              dead_letter_mapper_.map(record, error, target));
    }

    static void note_letter(Piece& piece, Offset offset, const Error& error) {
        const auto after = std::ranges::upper_bound(piece.letters, offset, {}, &Letter::offset);
        piece.letters.insert(after, {offset, rejection_reason(error)});
    }

    // A record that the server refused.
    Result<void> bury_refused(Chunk& chunk, std::uint32_t piece, Offset offset,
                              const Error& error) {
        Piece& from = chunk.pieces()[piece];
        const auto [record, clock] = from.kept.find(*from.partition, offset);
        if (options_.dead_letter_topic) {
            options_.dead_letter_topic->send(record, clock, error);
            SLUICE_TRY(options_.dead_letter_topic->settle(Deadline::in(settle_wait)));
            chunk.forget(piece, offset);
        } else {
            chunk.forget(piece, offset);
            // What the server did not take for its size it would not take as a letter either.
            SLUICE_TRY(add_letter(chunk, piece,
                                  is_too_large(error) ? without_content(record) : record, clock,
                                  error));
        }
        note_letter(from, offset, error);
        return {};
    }

    PartitionState& state_of(const Record& record, std::uint32_t route) {
        if (record.partition != last_partition_) {
            const auto found = states_.find(*record.partition);
            check(found != states_.end() && found->second.ready,
                  "records come only from partitions that are ready");
            last_partition_ = record.partition;
            last_state_ = &*found;
            last_state_->second.route = route;
        }
        PartitionState& state = last_state_->second;
        if (!state.touched) {
            state.touched = true;
            touched_.emplace_back(&last_state_->first, &state);
        }
        return state;
    }

    Chunk& open_chunk(std::uint32_t route) {
        LoadPtr& load = open_[route];
        if (!load) {
            load = flow_.take_back(route, joined_bytes_max);
        }
        if (!load) {
            load = flow_.take_spare();
            load = load ? load : std::make_shared<Load>();
            load->chunk.start(++chunks_, route);
        }
        return load->chunk;
    }

    std::uint32_t piece_of(PartitionState& state, Chunk& chunk) {
        if (state.chunk != chunk.id() || !chunk.pieces()[state.piece].live) {
            state.chunk = chunk.id();
            state.piece = chunk.add_piece(last_state_->first, state.next);
        }
        return state.piece;
    }

    void forget(std::span<const TopicPartition> partitions) {
        for (const auto& partition : partitions) {
            flow_.drop(partition);
            stop(partition);
            if (const auto state = states_.find(partition); state != states_.end()) {
                state->second.ready = false;
            }
        }
    }

    // Takes out of the open chunks what is not sealed yet.
    void stop(const TopicPartition& partition) {
        last_partition_ = nullptr;
        if (const auto state = states_.find(partition); state != states_.end()) {
            state->second.stopped = true;
        }
        for (const auto& load : open_) {
            for (std::size_t p = 0; load && p < load->chunk.pieces().size(); ++p) {
                auto& piece = load->chunk.pieces()[p];
                piece.live = piece.live && *piece.partition != partition;
            }
        }
    }

    using StateEntry = std::pair<const TopicPartition, PartitionState>;

    DestinationOptions options_;
    Logger log_;
    std::vector<Route> routes_;  // As configured.
    bool buries_;
    DeadLetterMapper dead_letter_mapper_;
    Uuid id_;
    std::unique_ptr<Database> database_;
    // States are never erased: pieces point to their keys.
    std::unordered_map<TopicPartition, PartitionState> states_;
    std::vector<std::pair<const TopicPartition*, PartitionState*>> touched_;
    const TopicPartition* last_partition_ = nullptr;
    StateEntry* last_state_ = nullptr;
    std::vector<LoadPtr> open_;  // By route: what is not sealed yet.
    std::uint64_t chunks_ = 0;
    Flow flow_;
    std::vector<Ready> ready_;  // Not taken yet.
    std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace

std::unique_ptr<Destination> make_destination(DestinationOptions options, std::vector<Route> routes,
                                              Logger log) {
    return std::make_unique<CassandraDestination>(std::move(options), std::move(routes),
                                                  std::move(log));
}

}  // namespace sluice::cassandra
