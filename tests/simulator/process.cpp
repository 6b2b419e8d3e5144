// A simulated process: the lane that ships, with its settings, and what is overheard of it.
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/null_sink.h>

#include "app/wiring.hpp"
#include "base/check.hpp"
#include "simulator/history.hpp"

namespace sluice::sim {
namespace {

// The lane's own log lines, in the story.
class StorySink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
    void sink_it_(const spdlog::details::log_msg& message) override {
        const auto* const task = world->scheduler.current();
        world->tell("process {} says: {}", task == nullptr ? 0 : task->process.number,
                    std::string_view(message.payload.data(), message.payload.size()));
    }
    void flush_() override {}
};

Logger logger() {
    auto log = std::make_shared<spdlog::logger>("lane", std::make_shared<StorySink>());
    log->set_level(world->tells() ? spdlog::level::info : spdlog::level::off);
    return log;
}

// A delete in Cassandra does not say which record it is of; the lane does, when it hands it over.
// And more places where a process may stand still, or fall.
class Overheard final : public Destination {
public:
    explicit Overheard(std::unique_ptr<Destination> real) : real_(std::move(real)) {}

    Result<void> open(Deadline deadline) override { return real_->open(deadline); }
    [[nodiscard]] std::span<const Route> routes() const override { return real_->routes(); }
    [[nodiscard]] const Uuid& id() const override { return real_->id(); }
    [[nodiscard]] bool progress_in_group() const override { return real_->progress_in_group(); }
    Result<std::vector<Position>> stored(const std::string& topic, Deadline deadline) override {
        return real_->stored(topic, deadline);
    }
    Result<ClockMicros> first_clock(const std::string& topic, Deadline deadline) override {
        return real_->first_clock(topic, deadline);
    }
    Result<void> begin(std::span<const Position> positions, Deadline deadline) override {
        return real_->begin(positions, deadline);
    }
    void save(std::span<const Position> positions) override { real_->save(positions); }
    void acquire(const AcquireRequest& request) override {
        world->pass("lane.acquire");
        real_->acquire(request);
        world->pass("lane.acquired");
    }
    void release(std::span<const TopicPartition> partitions, Deadline deadline) override {
        real_->release(partitions, deadline);
    }
    void abandon(std::span<const TopicPartition> partitions) override {
        real_->abandon(partitions);
    }
    Result<void> add(std::uint32_t route, const Record& record, ClockMicros clock,
                     const Row& row) override {
        if (row.op == RowOp::del) {
            history->cassandra.expect_delete(std::string(*record.key), clock.value(),
                                             record.partition->partition.value(),
                                             record.offset.value());
        }
        return real_->add(route, record, clock, row);
    }
    Result<void> bury(std::uint32_t route, const Record& record, ClockMicros clock,
                      const Error& error) override {
        return real_->bury(route, record, clock, error);
    }
    void end_record(std::uint32_t route, const Record& record, ClockMicros clock) override {
        real_->end_record(route, record, clock);
    }
    std::vector<OffsetRange> seal() override {
        world->pass("lane.seal");
        return real_->seal();
    }
    Result<void> add_columns(std::uint32_t route, std::uint32_t target,
                             std::span<const ColumnShape> columns, Deadline deadline) override {
        return real_->add_columns(route, target, columns, deadline);
    }
    bool wait_for_room(Deadline deadline) override { return real_->wait_for_room(deadline); }
    [[nodiscard]] bool busy() const override { return real_->busy(); }
    [[nodiscard]] WriteCounts counts() const override { return real_->counts(); }
    [[nodiscard]] WaitingBytes waiting() const override { return real_->waiting(); }
    std::vector<DestinationEvent> take_events() override {
        world->pass("lane.take_events");
        return real_->take_events();
    }
    void close(Deadline deadline) override { real_->close(deadline); }

private:
    std::unique_ptr<Destination> real_;
};

Path path(Source source, std::string spelling, std::vector<PathStep> steps = {}) {
    return {
        .source = source, .name = {}, .steps = std::move(steps), .spelling = std::move(spelling)};
}

Target state_target() {
    Target target;
    target.table = "state";
    target.mode = Mode::upsert;
    target.key = {"k"};
    target.columns = {{"k", path(Source::key, "key"), {}},
                      {"a", path(Source::value, "value.a", {std::string("a")}), {}},
                      {"b", path(Source::value, "value.b", {std::string("b")}), {}},
                      {"p", path(Source::meta_partition, "meta.partition"), {}},
                      {"o", path(Source::meta_offset, "meta.offset"), {}}};
    return target;
}

Target journal_target(bool with_value) {
    Target target;
    target.table = "journal";
    target.columns = {{"p", path(Source::meta_partition, "meta.partition"), {}},
                      {"o", path(Source::meta_offset, "meta.offset"), {}},
                      {"k", path(Source::key, "key"), {}}};
    if (with_value) {
        target.columns.push_back({"a", path(Source::value, "value.a", {std::string("a")}), {}});
    }
    return target;
}

}  // namespace

std::unique_ptr<Lane> History::make_lane(bool until_end) {
    const bool in_postgres = database_ == Database::postgres;
    const auto name = in_postgres ? postgres_lane : cassandra_lane;
    Config config;
    config.pipeline = "pipe";
    config.kafka.brokers = {"model:9092"};
    config.dead_letters.table = "dead";
    RouteConfig route{.topics = {topic_name},
                      .key_format = Format::string,
                      .value_format = Format::json,
                      .postgres = {},
                      .cassandra = {},
                      .place = {}};
    auto& targets = in_postgres ? route.postgres : route.cassandra;
    targets.push_back({.target = state_target(), .place = {}, .column_places = {}});
    if (two_targets_) {
        targets.push_back(
            {.target = journal_target(in_postgres), .place = {}, .column_places = {}});
    }
    config.routes.push_back(std::move(route));
    config.postgres = PostgresConfig{.url = "postgresql://model",
                                     .user = {},
                                     .password = {},
                                     .pool = static_cast<int>(own_world.random.between(1, 2)),
                                     .schema = "sluice",
                                     .rows_per_s_max = {},
                                     .place = {}};
    config.cassandra = CassandraConfig{.hosts = {"model:9042"},
                                       .local_dc = {},
                                       .keyspace = "shop",
                                       .consistency = "local_quorum",
                                       .username = {},
                                       .password = {},
                                       .rows_per_s_max = {},
                                       .place = {}};
    auto log = logger();
    auto destination =
        in_postgres
            ? postgres::make_destination(postgres_options(config), routes_of(config, name), log)
            : cassandra::make_destination(cassandra_options(config), routes_of(config, name), log);
    LaneOptions options{.name = std::string(name),
                        .consumer = {.client = client_options(config.kafka),
                                     .group = group_of(config, name),
                                     .instance = {},
                                     .headers = true},
                        .start = config.kafka.start,
                        .until_end = until_end,
                        .buries = true};
    return std::make_unique<Lane>(std::move(options),
                                  std::make_unique<Overheard>(std::move(destination)), log);
}

Running& History::start(bool until_end) {
    running_.push_back(std::make_unique<Running>());
    Running& running = *running_.back();
    running.process.number = static_cast<int>(running_.size());
    if (targets_change_) {
        two_targets_ = own_world.random.chance(0.5);
    }
    own_world.tell("process {} starts{}", running.process.number,
                   two_targets_ ? "" : ", with one table");
    running.lane = make_lane(until_end);
    starting_process = &running.process;
    running.lane->start();
    starting_process = nullptr;
    return running;
}

// Between two events.
void History::kill(Running& running) {
    if (running.process.alive) {
        own_world.tell("process {} is killed", running.process.number);
        own_world.scheduler.kill(running.process);
    }
    bury(running);
}

void History::bury(Running& running) {
    if (running.lane) {
        running.lane->join();
        running.lane.reset();
    }
}

}  // namespace sluice::sim
