// The coordinates of Kafka's log as types of their own.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/strong.hpp"

namespace sluice {

using Offset = Strong<struct OffsetTag, std::int64_t>;
using PartitionId = Strong<struct PartitionTag, std::int32_t>;
// A count of bytes, where a parameter could be taken for a count of something else.
using Bytes = Strong<struct BytesTag, std::size_t>;
// Microseconds since 1970-01-01T00:00:00Z on the write clock (see commit/clock.hpp).
using ClockMicros = Strong<struct ClockTag, std::int64_t>;

struct TopicPartition {
    std::string topic;
    PartitionId partition;
    auto operator<=>(const TopicPartition&) const = default;

    [[nodiscard]] std::string to_string() const;        // "orders[3]"
    [[nodiscard]] std::string at(Offset offset) const;  // "orders[3]@120"
};

// The records [from, to) of one partition. Offsets inside may be missing (compaction, aborted
// transactions, control records): only the ends count.
struct OffsetRange {
    TopicPartition partition;
    Offset from;
    Offset to;
    auto operator<=>(const OffsetRange&) const = default;
};

}  // namespace sluice

template <>
struct std::hash<sluice::TopicPartition> {
    std::size_t operator()(const sluice::TopicPartition& tp) const noexcept {
        return std::hash<std::string>{}(tp.topic) * 31 +
               std::hash<std::int32_t>{}(tp.partition.value());
    }
};
