// What a history is made of: how large, and how much of what goes wrong.
#pragma once

#include <cstdint>

#include "simulator/broker.hpp"
#include "simulator/world.hpp"

namespace sluice::sim {

enum class Database : std::uint8_t { postgres, cassandra };

struct Shape {
    std::int32_t partitions = 2;
    std::int32_t processes = 2;
    std::int64_t lasts_ms = 15'000;
    std::int32_t bursts = 12;  // Of records.
    std::int32_t grows = 0;    // New partitions.
    std::int32_t keys = 6;
    bool keys_move = false;  // To a partition that is new.
    double odd_timestamps = 0;
    double gaps = 0;
    double bad = 0;
    double deletes = 0.2;
    double restarts = 0;  // Kills, stops and freezes, by process and second.
    double expulsions = 0;
    double outages = 0;
    bool compacted = false;
    bool targets_change = false;  // At a restart the route may gain or lose a table.
    Faults faults;
    Fencing fencing = Fencing::membership;
};

// Of a history from a seed; directed schedules have their own.
Shape draw_shape(Database database, Random& random);

}  // namespace sluice::sim
