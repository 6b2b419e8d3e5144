// One Kafka record: bytes, and where they came from.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/ids.hpp"

namespace sluice {

struct Header {
    std::string_view name;
    std::optional<std::string_view> value;  // Kafka allows a null header value.
};

// Views into memory of the poll that delivered the record; valid until that poll is released.
struct Record {
    const TopicPartition* partition = nullptr;  // Owned by the consumer, alive as long as it is.
    Offset offset;
    std::optional<std::int64_t> timestamp_ms;  // Absent where the producer's broker kept none.
    std::optional<std::string_view> key;
    std::optional<std::string_view> value;
    std::span<const Header> headers;  // Empty unless the consumer was asked for headers.

    [[nodiscard]] std::string where() const { return partition->at(offset); }
};

}  // namespace sluice
