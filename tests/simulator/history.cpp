#include "simulator/history.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace sluice::sim {
namespace {

using namespace std::chrono_literals;

// A history that has not come to its end by then never will.
constexpr auto finish_limit = 600s;
constexpr auto drain = 20s;

std::int64_t since_begin() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               world->scheduler.now().time_since_epoch())
               .count() -
           1'000'000;
}

void add_field(std::string& json, const char* name, const Field& field) {
    if (field.present) {
        fmt::format_to(std::back_inserter(json), "{}\"{}\":{}", json.size() > 1 ? "," : "", name,
                       field.text ? fmt::format("\"{}\"", *field.text) : "null");
    }
}

std::string json_of(const Produced& record) {
    std::string json("{");
    add_field(json, "a", record.a);
    add_field(json, "b", record.b);
    json.append("}");
    return json;
}

}  // namespace

History* history = nullptr;

History::History(Database database, std::uint64_t seed, bool tells)
    : own_world(seed),
      broker(own_world),
      postgres(own_world, broker.log),
      cassandra(own_world, broker.log),
      database_(database) {
    check(history == nullptr, "one history at a time");
    history = this;
    world = &own_world;
    if (tells) {
        own_world.tell_all();
    }
    broker.committed = [this](const kafka::Commit& commit) { check_commit(commit); };
}

History::~History() {
    for (auto& running : running_) {
        kill(*running);
    }
    own_world.scheduler.clear();
    running_.clear();
    history = nullptr;
    world = nullptr;
}

void History::check_commit(const kafka::Commit& commit) {
    if (database_ == Database::cassandra) {
        cassandra.check_durable(commit);
    } else {
        postgres.check_commit(commit.partition.partition.value(), commit.next.value());
    }
}

std::optional<std::string> History::run() { return run(draw_shape(database_, own_world.random)); }

std::optional<std::string> History::run(const Shape& shape) {
    shape_ = shape;
    broker.fencing = shape.fencing;
    broker.compacted = shape.compacted;
    cassandra.times_change = shape.compacted;
    for (std::int32_t p = 0; p < shape.partitions; ++p) {
        broker.log.partitions.emplace_back();
    }
    targets_change_ = shape.targets_change;
    own_world.faults = shape.faults;
    broker.watch_sessions();
    plan();
    advance(shape.lasts_ms);
    return finish();
}

// What happens when, from outside of the processes.
void History::plan() {
    auto& scheduler = own_world.scheduler;
    Random& random = own_world.random;
    for (std::int32_t i = 0; i < shape_.processes; ++i) {
        scheduler.in(ms(i == 0 ? 0 : random.below(shape_.lasts_ms / 2)), [this] {
            if (!healed_) {
                start();
            }
        });
    }
    for (std::int32_t i = 0; i < shape_.bursts; ++i) {
        scheduler.in(ms(random.below(shape_.lasts_ms)), [this] { produce_some(); });
    }
    // A second new partition comes when the first one has begun.
    for (std::int32_t i = 0; i < shape_.grows; ++i) {
        scheduler.in(ms(i * shape_.lasts_ms / 2 + random.below(shape_.lasts_ms / 3)),
                     [this] { grow(); });
    }
    scheduler.in(1s, [this] { befall(); });
    if (shape_.compacted) {
        scheduler.in(1s, [this] { compact_some(); });
    }
}

void History::compact_some() {
    for (std::int32_t p = 0; p < broker.partitions(); ++p) {
        if (own_world.random.chance(0.5)) {
            const auto end = broker.log.partitions[static_cast<std::size_t>(p)].end;
            broker.log.compact(p, own_world.random.between(0, end));
            own_world.tell("partition {} is compacted", p);
        }
    }
    own_world.scheduler.in(ms(own_world.random.between(200, 4'000)), [this] { compact_some(); });
}

void History::grow() {
    if (healed_) {
        return;
    }
    broker.grow();
    // What moved before the pipeline began has no order that it could keep. And only to the new
    // one: between old partitions nothing says which of two records is the later.
    if (shape_.keys_move && !broker.commits.empty()) {
        for (int key = 0; key < shape_.keys; ++key) {
            if (own_world.random.chance(0.5)) {
                places_[key] = broker.partitions() - 1;
            }
        }
    }
}

std::int32_t History::place_of(int key) {
    if (!shape_.keys_move) {
        return static_cast<std::int32_t>(own_world.random.below(broker.partitions()));
    }
    return places_.try_emplace(key, key % shape_.partitions).first->second;
}

void History::produce_some() {
    Random& random = own_world.random;
    for (auto left = random.between(1, 6); left > 0; --left) {
        const int key = static_cast<int>(random.below(shape_.keys));
        Produced record;
        record.partition = place_of(key);
        record.key = shape_.keys_move ? fmt::format("k{}", key)
                                      : fmt::format("k{}-{}", record.partition, key);
        const std::string text = fmt::format("v{}", broker.log.produced + 1);
        // What a compacted log has lost, a record that leaves a field out would need.
        record.a = {.present = shape_.compacted || random.chance(0.8), .text = {}};
        record.b = {.present = shape_.compacted || random.chance(0.6), .text = {}};
        if (random.chance(0.9)) {
            record.a.text = text;
        }
        if (random.chance(0.9)) {
            record.b.text = text;
        }
        record.timestamp_ms = timestamp();
        if (random.chance(shape_.gaps)) {
            broker.log.leave_gap(record.partition, random.between(1, 5));
        }
        record.bad = random.chance(shape_.bad);
        if (record.bad) {
            record.value.emplace("{no json");
        } else if (!random.chance(shape_.deletes)) {
            record.value = json_of(record);
        }
        broker.log.append(std::move(record));
    }
}

std::optional<std::int64_t> History::timestamp() {
    Random& random = own_world.random;
    const std::int64_t usual = 1'700'000'000'000 + since_begin();
    if (!random.chance(shape_.odd_timestamps)) {
        return usual;
    }
    switch (random.below(8)) {
        case 0:
            return std::nullopt;
        case 1:
            return -1;
        case 2:
            return std::numeric_limits<std::int64_t>::max();
        case 3:
            return 0;
        case 4:
            return usual - random.below(1'000'000);
        case 5:
            return usual + random.below(100'000);
        case 6:
            return 1'700'000'000'000;
        default:
            return usual / 1'000;  // Seconds, by mistake.
    }
}

// Each second, until all is healed.
void History::befall() {
    if (healed_) {
        return;
    }
    Random& random = own_world.random;
    auto& scheduler = own_world.scheduler;
    // A process is started only while the history is, so that the list stays as it is meanwhile.
    for (std::size_t i = 0; i < running_.size(); ++i) {
        Running& running = *running_[i];
        if (!running.process.alive) {
            if (running.lane) {
                bury(running);
                scheduler.in(ms(random.below(3'000)), [this] { start_again(); });
            }
            continue;
        }
        check_lane(running);
        if (running.lane->status().phase == LanePhase::ended) {
            kill(running);
            scheduler.in(ms(random.below(3'000)), [this] { start_again(); });
            continue;
        }
        if (random.chance(shape_.expulsions)) {
            broker.expel_process(running.process);
        }
        if (!random.chance(shape_.restarts)) {
            continue;
        }
        const auto how = random.below(3);
        if (how == 0) {
            scheduler.in(ms(random.below(1'000)), [&running, this] { kill_later(running); });
        } else if (how == 1) {
            own_world.tell("process {} is frozen", running.process.number);
            scheduler.freeze(running.process,
                             ms(random.chance(0.5) ? random.between(100, 3'000)
                                                   : random.between(8'000, 15'000)));
        } else {
            own_world.tell("process {} is told to stop", running.process.number);
            running.lane->stop(Deadline::in(std::chrono::milliseconds{random.below(10'000)}),
                               kafka::Membership::given_up);
        }
    }
    if (random.chance(shape_.outages)) {
        own_world.database_down_until = scheduler.now() + ms(random.below(6'000));
        own_world.tell("the database is away");
    }
    scheduler.in(1s, [this] { befall(); });
}

// Nothing that befalls the processes here is a record's fault, or a reason to give up.
void History::check_lane(const Running& running) {
    const auto status = running.lane->status();
    if (status.failed) {
        own_world.fail(fmt::format("process {} has failed: {}", running.process.number,
                                   status.failed->message()));
    }
    for (const auto& stopped : status.stopped) {
        own_world.fail(fmt::format("process {} has stopped {}: {}", running.process.number,
                                   stopped.partition.to_string(), stopped.error.message()));
    }
}

void History::kill_later(Running& running) {
    if (!healed_ && running.process.alive) {
        own_world.tell("process {} is killed", running.process.number);
        own_world.scheduler.kill(running.process);
    }
}

void History::start_again() {
    if (!healed_) {
        start();
    }
}

void History::begin(std::int32_t partitions) {
    broker.moves = 0;
    broker.log.partitions.resize(static_cast<std::size_t>(partitions));
    broker.watch_sessions();
}

void History::produce(std::int32_t partition, const std::string& key,
                      std::optional<std::string> text, std::int64_t timestamp_ms) {
    Produced record;
    record.partition = partition;
    record.key = key;
    record.timestamp_ms = timestamp_ms;
    if (text) {
        record.a = {.present = true, .text = text};
        record.b = {.present = true, .text = text};
        record.value = json_of(record);
    }
    broker.log.append(std::move(record));
}

void History::until(const char* what, const std::function<bool()>& so) {
    const auto done = [&] { return own_world.failure().has_value() || so(); };
    if (!own_world.scheduler.run(done, own_world.scheduler.now() + 60s)) {
        own_world.fail(std::string("the schedule waits in vain for this: ") + what);
    }
}

void History::advance(std::int64_t wait_ms) {
    const Time until = own_world.scheduler.now() + ms(wait_ms);
    own_world.scheduler.at(until, [] {});
    (void)own_world.scheduler.run(
        [&] { return own_world.failure().has_value() || own_world.scheduler.now() >= until; },
        until);
}

std::optional<std::string> History::finish() {
    if (own_world.failure()) {
        return own_world.failure();
    }
    for (const auto& running : running_) {
        if (running->process.alive) {
            check_lane(*running);
        }
    }
    healed_ = true;
    own_world.tell("all is healed");
    own_world.faults = {};
    own_world.director = nullptr;
    own_world.database_down_until = {};
    // Some go on for a while beside the last one, as zombies do.
    for (auto& running : running_) {
        if (running->process.alive && running->process.frozen_until <= own_world.scheduler.now()) {
            kill(*running);
        } else if (running->process.alive) {
            Running* const frozen = running.get();
            own_world.scheduler.at(frozen->process.frozen_until + ms(own_world.random.below(3'000)),
                                   [this, frozen] { kill(*frozen); });
        }
    }
    Running& last = start(true);
    const auto ended = [&] {
        return own_world.failure() || last.lane->status().phase == LanePhase::ended;
    };
    const bool done = own_world.scheduler.run(ended, own_world.scheduler.now() + finish_limit);
    if (!done) {
        own_world.fail("the last process does not come to its end");
    } else {
        check_lane(last);
    }
    if (own_world.failure()) {
        return own_world.failure();
    }
    kill(last);
    // What was late arrives now, if ever.
    own_world.scheduler.run_out(own_world.scheduler.now() + drain);
    if (database_ == Database::postgres) {
        postgres.check_all();
    } else {
        cassandra.check_all();
    }
    return own_world.failure();
}

}  // namespace sluice::sim
