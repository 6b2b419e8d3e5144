#include "sinks/postgres/destination.hpp"

#include <algorithm>
#include <unordered_map>

#include "base/check.hpp"
#include "sinks/postgres/extend.hpp"
#include "sinks/postgres/outbox.hpp"
#include "sinks/postgres/replayed.hpp"
#include "sinks/postgres/resolve.hpp"
#include "sinks/postgres/writer.hpp"

namespace sluice::postgres {
namespace {

// The lane's write clock begins anew at each start here: it says nothing that a replay could use.
constexpr ClockMicros no_clock{0};

// What the lane's thread keeps of a partition that is ours.
struct PartitionState {
    std::uint64_t epoch = 0;  // Counts acquisitions.
    Uuid topic_id;
    std::optional<Offset> next;  // The end of the last piece handed over; empty until Ready.
    Piece open;
    Offset open_record{-1};  // The record whose rows are being added.
    std::size_t open_rows = 0;
};

class PostgresDestination final : public Destination {
public:
    PostgresDestination(DestinationOptions options, std::vector<Route> routes, Logger log)
        : options_(std::move(options)),
          log_(std::move(log)),
          offsets_(options_.schema, options_.pipeline),
          configured_(std::move(routes)),
          routes_(configured_),
          outbox_(options_.room, routes_.size()) {}

    ~PostgresDestination() override { close(Deadline::in(std::chrono::milliseconds{0})); }

    [[nodiscard]] std::span<const Route> routes() const override { return routes_; }
    [[nodiscard]] const Uuid& id() const override { return id_; }
    [[nodiscard]] bool progress_in_group() const override { return false; }
    void save(std::span<const Position>) override {}

    Result<void> open(Deadline deadline) override {
        auto connection = Connection::open(connect_options(options_, nullptr), deadline);
        if (!connection) {
            return fail(std::move(connection).error().error);
        }
        auto id = offsets_.prepare(*connection, deadline);
        if (!id) {
            return fail(std::move(id).error().error);
        }
        auto begun = offsets_.topics(*connection, deadline);
        if (!begun) {
            return fail(std::move(begun).error().error);
        }
        auto resolved = resolve(*connection, configured_,
                                {.own_schema = options_.schema,
                                 .begun = std::move(*begun),
                                 .create = true,
                                 .find_shape = options_.find_shape},
                                deadline);
        if (!resolved) {
            return fail(std::move(resolved).error().error);
        }
        if (!resolved->problems.empty()) {
            return fail(all_problems(resolved->problems));
        }
        for (const auto& definition : resolved->created) {
            log_->info("created the table, which was missing: {}", definition);
        }
        id_ = *id;
        routes_ = std::move(resolved->routes);
        plans_.clear();
        for (auto& plans : resolved->plans) {
            plans_.push_back(std::make_shared<const std::vector<TablePlan>>(std::move(plans)));
        }
        plan_ = std::make_unique<WriterPlan>(
            WriterPlan{.connect = connect_options(options_, &interrupt_),
                       .offsets = offsets_,
                       .routes = static_cast<std::uint32_t>(routes_.size()),
                       .batch_bytes_max = std::min(batch_bytes_most, options_.room.value() / 3),
                       .log = log_,
                       .dead_letter_topic = options_.dead_letter_topic,
                       .dead_letter_tables = has_dead_letters(routes_)});
        control_ = std::move(*connection);
        return {};
    }

    Result<std::vector<Position>> stored(const std::string& topic, Deadline deadline) override {
        auto positions = offsets_.read(*control_, topic, deadline);
        if (!positions) {
            return fail(std::move(positions).error().error);
        }
        return std::move(*positions);
    }

    Result<ClockMicros> first_clock(const std::string&, Deadline) override { return no_clock; }

    Result<void> begin(std::span<const Position> positions, Deadline deadline) override {
        auto begun = offsets_.begin(*control_, positions, deadline);
        if (!begun) {
            return fail(std::move(begun).error().error);
        }
        return {};
    }

    void acquire(const AcquireRequest& request) override {
        start_writers();
        PartitionState& state = states_[request.partition];
        ++state.epoch;
        state.topic_id = request.topic_id;
        state.next.reset();
        state.open = {};
        std::erase(touched_, &state);
        last_partition_ = nullptr;
        writer_of(request.partition).queue().push({.request = request, .epoch = state.epoch});
    }

    void release(std::span<const TopicPartition> partitions, Deadline deadline) override {
        for (const auto& partition : partitions) {
            if (states_.contains(partition) && !writers_.empty()) {
                writer_of(partition).queue().clear(partition, states_.at(partition).epoch,
                                                   deadline);
            }
        }
        forget(partitions);
    }

    void abandon(std::span<const TopicPartition> partitions) override {
        for (const auto& partition : partitions) {
            if (states_.contains(partition) && !writers_.empty()) {
                writer_of(partition).queue().close_epoch(partition, states_.at(partition).epoch);
            }
        }
        forget(partitions);
    }

    Result<void> add(std::uint32_t route, const Record& record, ClockMicros,
                     const Row& row) override {
        PartitionState& state = state_of(record, route);
        auto& table = state.open.tables[row.target];
        auto added = append_row((*plans_[route])[row.target], record, row, table);
        if (!added) {
            roll_back_record(state, record.offset);
            return added;
        }
        ++state.open_rows;
        return {};
    }

    Result<void> bury(std::uint32_t route, const Record& record, ClockMicros clock,
                      const Error& error) override {
        PartitionState& state = state_of(record, route);
        if (options_.dead_letter_topic) {
            options_.dead_letter_topic->send(record, no_clock, error);
        } else {
            const auto target = static_cast<std::uint32_t>(plans_[route]->size() - 1);
            SLUICE_TRY(add(route, record, clock, dead_letter_mapper_.map(record, error, target)));
        }
        state.open.letters.push_back({record.offset, rejection_reason(error)});
        return {};
    }

    void end_record(std::uint32_t route, const Record& record, ClockMicros) override {
        PartitionState& state = state_of(record, route);
        state.open.to = record.offset.next();
        const auto& letters = state.open.letters;
        const bool buried = !letters.empty() && letters.back().offset == record.offset;
        if (plan_->buries() && state.open_rows > 0 && !buried) {
            state.open.kept.add(record, no_clock);
        }
        state.open.records += state.open_rows > 0 ? 1 : 0;
        state.open_rows = 0;
    }

    std::vector<OffsetRange> seal() override {
        std::vector<OffsetRange> sealed;
        for (PartitionState* state : touched_) {
            if (state->open.to > state->open.from) {
                state->next = state->open.to;
                sealed.push_back({state->open.partition, state->open.from, state->open.to});
                writer_of(state->open.partition).queue().push(std::move(state->open));
            }
            state->open = {};
        }
        touched_.clear();
        last_partition_ = nullptr;
        return sealed;
    }

    Result<void> add_columns(std::uint32_t route, std::uint32_t target,
                             std::span<const ColumnShape> columns, Deadline deadline) override {
        auto connection = Connection::open(connect_options(options_, nullptr), deadline);
        if (!connection) {
            return fail(std::move(connection).error().error);
        }
        SLUICE_ASSIGN(auto extended, extend_table(*connection, configured_[route].targets[target],
                                                  columns, deadline));
        auto plans = std::make_shared<std::vector<TablePlan>>(*plans_[route]);
        (*plans)[target] = std::move(extended.plan);
        plans_[route] = std::move(plans);
        routes_[route].targets[target] = std::move(extended.target);
        return {};
    }

    bool wait_for_room(Deadline deadline) override { return outbox_.wait_for_room(deadline); }

    [[nodiscard]] bool busy() const override {
        return std::ranges::any_of(writers_,
                                   [](const auto& writer) { return writer->queue().busy(); });
    }

    [[nodiscard]] WriteCounts counts() const override { return outbox_.counts(); }
    [[nodiscard]] WaitingBytes waiting() const override { return outbox_.waiting(); }

    std::vector<DestinationEvent> take_events() override {
        auto events = outbox_.take();
        // An answer that was on its way while the partition was given away and acquired again.
        std::erase_if(events, [this](const DestinationEvent& event) {
            const auto* ready = std::get_if<Ready>(&event);
            return ready != nullptr && ready->epoch < states_.at(ready->partition).epoch;
        });
        for (const auto& event : events) {
            if (const auto* ready = std::get_if<Ready>(&event)) {
                states_.at(ready->partition).next = ready->next;
            }
        }
        return events;
    }

    void close(Deadline deadline) override {
        for (auto& writer : writers_) {
            writer->queue().drain(deadline);
        }
        for (auto& writer : writers_) {
            writer->queue().wait_ended(deadline);
        }
        interrupt_.raise();
        for (auto& writer : writers_) {
            writer->join();
        }
        writers_.clear();
        control_.reset();
    }

private:
    void start_writers() {
        if (!writers_.empty()) {
            return;
        }
        control_.reset();  // From here on the writers' connections are all that is needed.
        for (int i = 0; i < options_.pool; ++i) {
            writers_.push_back(std::make_unique<Writer>(*plan_, outbox_, waits_, i));
        }
    }

    Writer& writer_of(const TopicPartition& partition) {
        const auto topic = std::hash<std::string>{}(partition.topic) % writers_.size();
        const auto number = static_cast<std::size_t>(partition.partition.value());
        return *writers_[(topic + number) % writers_.size()];
    }

    PartitionState& state_of(const Record& record, std::uint32_t route) {
        if (record.partition == last_partition_) {
            return *last_state_;
        }
        const auto found = states_.find(*record.partition);
        check(found != states_.end() && found->second.next.has_value(),
              "records come only from partitions that are ready");
        PartitionState& state = found->second;
        if (state.open.tables.empty()) {
            state.open.partition = *record.partition;
            state.open.topic_id = state.topic_id;
            state.open.route = route;
            state.open.epoch = state.epoch;
            state.open.from = *state.next;
            state.open.to = *state.next;
            state.open.plans = plans_[route];
            state.open.tables.resize(plans_[route]->size());
            touched_.push_back(&state);
        }
        last_partition_ = record.partition;
        last_state_ = &state;
        return state;
    }

    static void roll_back_record(PartitionState& state, Offset offset) {
        for (auto& table : state.open.tables) {
            while (!table.rows.empty() && table.rows.back().offset == offset) {
                table.absent_rows -= table.rows.back().has_absent ? 1 : 0;
                table.bytes.resize(table.rows.back().begin);
                table.rows.pop_back();
            }
        }
        state.open_rows = 0;
    }

    void forget(std::span<const TopicPartition> partitions) {
        last_partition_ = nullptr;
        for (const auto& partition : partitions) {
            if (const auto state = states_.find(partition); state != states_.end()) {
                std::erase(touched_, &state->second);
                state->second.next.reset();
                state->second.open = {};
            }
            waits_.end(partition.to_string(), std::nullopt);
        }
        for (const auto& writer : writers_) {
            writer->end_idle_waits();
        }
    }

    DestinationOptions options_;
    Logger log_;
    OffsetsTable offsets_;
    std::vector<Route> configured_;
    std::vector<Route> routes_;      // Complete from open() on.
    std::vector<TablePlans> plans_;  // By route.
    Uuid id_;
    Interrupt interrupt_;
    Outbox outbox_;
    Waits waits_{outbox_};
    std::unique_ptr<WriterPlan> plan_;
    DeadLetterMapper dead_letter_mapper_;
    std::optional<Connection> control_;
    std::vector<std::unique_ptr<Writer>> writers_;
    // States are never erased: pointers into the map stay good, and epochs go on counting.
    std::unordered_map<TopicPartition, PartitionState> states_;
    std::vector<PartitionState*> touched_;
    const TopicPartition* last_partition_ = nullptr;
    PartitionState* last_state_ = nullptr;
};

}  // namespace

ConnectOptions connect_options(const DestinationOptions& options, const Interrupt* interrupt) {
    return {.url = options.url,
            .user = options.user,
            .password = options.password,
            .application_name = "sluice:" + options.pipeline,
            .interrupt = interrupt};
}

std::unique_ptr<Destination> make_destination(DestinationOptions options, std::vector<Route> routes,
                                              Logger log) {
    return std::make_unique<PostgresDestination>(std::move(options), std::move(routes),
                                                 std::move(log));
}

Result<std::size_t> forget_progress(const DestinationOptions& options,
                                    std::span<const std::string> topics, Deadline deadline) {
    auto connection = Connection::open(connect_options(options, nullptr), deadline);
    if (!connection) {
        return fail(std::move(connection).error().error);
    }
    const OffsetsTable offsets(options.schema, options.pipeline);
    auto id = offsets.find(*connection, deadline);
    if (!id) {
        return fail(std::move(id).error().error);
    }
    if (!*id) {
        return std::size_t{0};
    }
    const ReplayedTable replayed(options.schema, options.pipeline);
    auto also = replayed.forget(*connection, OffsetsTable::rows_of(options.pipeline, topics),
                                deadline);
    if (!also) {
        return fail(std::move(also).error().error);
    }
    auto forgotten = offsets.forget(*connection, topics, *also, deadline);
    if (!forgotten) {
        return fail(std::move(forgotten).error().error);
    }
    return static_cast<std::size_t>(*forgotten);
}

}  // namespace sluice::postgres
