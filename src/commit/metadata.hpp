// What a lane writes beside its offsets into the group's commits. Pure text, at most 200 bytes
// (the broker's limit is offset.metadata.max.bytes, 4096 by default).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/uuid.hpp"
#include "model/ids.hpp"

namespace sluice::commit {

struct Metadata {
    Uuid database;                     // The random id of the destination.
    Uuid topic;                        // The topic's id in Kafka.
    std::optional<ClockMicros> clock;  // The write clock's `last`, where the lane has one.
    // Where the database's own progress stood, where that is the lane's: the commit may be beyond
    // it by transaction markers.
    std::optional<Offset> stored{};
    std::string start;  // The policy with which the topic began.
    bool operator==(const Metadata&) const = default;
};

std::string to_text(const Metadata& metadata);
// Nothing where the text is not ours.
std::optional<Metadata> parse_metadata(std::string_view text);

}  // namespace sluice::commit
