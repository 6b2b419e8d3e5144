// What a lane knows of each partition that it owns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "commit/bound.hpp"
#include "commit/clock.hpp"
#include "commit/durable.hpp"
#include "commit/metadata.hpp"
#include "model/ids.hpp"
#include "model/target.hpp"

namespace sluice {

enum class PartitionPhase : std::uint8_t {
    assigned,   // Ours; its progress is not known yet.
    acquiring,  // The destination was asked for it.
    fetching,
    held,     // Its tables can't be written at the moment.
    faulted,  // Kafka does not give its records at the moment, or a table is to get columns first.
    stopped,  // By an error that a person must look at.
};

struct LanePartition {
    TopicPartition id;
    std::uint32_t route = 0;
    PartitionPhase phase = PartitionPhase::assigned;
    Uuid topic_id;
    std::string start;  // The policy with which the topic began.
    Offset beginning;   // Its first offset when it was assigned.
    Offset position;    // The next record to be delivered.
    commit::WriteClock clock;
    std::optional<commit::ClockBound> bound;      // Of the clock; where the pair holds that.
    std::optional<commit::DurablePrefix> prefix;  // From Ready on.
    std::optional<Offset> stored;  // Its progress, as the database told last; PostgreSQL only.
    std::optional<commit::Pair> committed;  // The last commit that was sent.
    bool at_end = false;                    // Has met its end since it was started.
    std::optional<Offset> end;              // As a broker told last; for the lag.
    std::optional<Error> fault;             // Why it is, or last was, faulted.
    Deadline fetch_at = Deadline::never();  // Faulted: when it is tried again.

    // New to the group: what the other partitions' ends were when it was discovered.
    std::vector<std::pair<TopicPartition, Offset>> seen_ends;
};

// The topics of a lane as they were at its start.
struct LaneTopic {
    std::string name;
    Uuid id;
    std::int32_t partitions = 0;
    std::uint32_t route = 0;
    std::string start;
    std::vector<Offset> ends;  // By partition, at the lane's start; for --until-end.
    // Commits that were ahead of the database's own progress at the lane's start, by partition.
    std::unordered_map<std::int32_t, Offset> ahead;

    [[nodiscard]] std::vector<TopicPartition> all() const {
        std::vector<TopicPartition> all;
        for (std::int32_t p = 0; p < partitions; ++p) {
            all.push_back({name, PartitionId{p}});
        }
        return all;
    }
};

}  // namespace sluice
