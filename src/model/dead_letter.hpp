// What is kept of a record that its tables can't take: the columns of a table of dead letters, in
// the order in which their cells come.
#pragma once

#include <array>
#include <string_view>

namespace sluice {

inline constexpr std::array<std::string_view, 9> dead_letter_columns{
    "kafka_topic", "kafka_partition", "kafka_offset", "timestamp", "key",
    "value",       "headers",         "reason",       "error"};

}  // namespace sluice
