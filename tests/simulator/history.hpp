// One history: the servers, the processes, what befalls them, and whether the tables are right at
// its end.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/lane.hpp"
#include "simulator/broker.hpp"
#include "simulator/cassandra.hpp"
#include "simulator/postgres.hpp"
#include "simulator/shape.hpp"
#include "simulator/world.hpp"

namespace sluice::sim {

// A process of the pipeline: one lane.
struct Running {
    Process process;
    std::unique_ptr<Lane> lane;
};

class History {
public:
    History(Database database, std::uint64_t seed, bool tells);
    History(const History&) = delete;
    History& operator=(const History&) = delete;
    ~History();

    World own_world;
    Broker broker;
    Postgres postgres;
    Cassandra cassandra;

    [[nodiscard]] Database database() const { return database_; }

    // Draws the shape and runs it. What was wrong, or nothing.
    std::optional<std::string> run();
    std::optional<std::string> run(const Shape& shape);

    // Lives until the history's end.
    void keep(std::shared_ptr<const void> what) { kept_.push_back(std::move(what)); }

    // For directed schedules, which begin here: without faults, but those that they bring about.
    void begin(std::int32_t partitions);
    Running& start(bool until_end = false);
    void kill(Running& running);
    // Both fields of the record are `text`; nothing: a delete.
    void produce(std::int32_t partition, const std::string& key, std::optional<std::string> text,
                 std::int64_t timestamp_ms);
    void advance(std::int64_t wait_ms);
    // Until it is so; fails the history where it is not within a virtual minute.
    void until(const char* what, const std::function<bool()>& so);
    // Everything is healed, one last process runs to the end, and the tables are compared.
    std::optional<std::string> finish();

private:
    void plan();
    void grow();
    void produce_some();
    void compact_some();
    void befall();
    void check_lane(const Running& running);
    void kill_later(Running& running);
    void start_again();
    void bury(Running& running);
    void check_commit(const kafka::Commit& commit);
    std::int32_t place_of(int key);
    std::optional<std::int64_t> timestamp();
    std::unique_ptr<Lane> make_lane(bool until_end);

    Database database_;
    std::vector<std::shared_ptr<const void>> kept_;
    std::vector<std::unique_ptr<Running>> running_;
    std::map<int, std::int32_t> places_;  // Of keys that move: where each one's records go.
    Shape shape_;
    bool two_targets_ = true;
    bool targets_change_ = false;
    bool healed_ = false;
};

extern History* history;

}  // namespace sluice::sim
