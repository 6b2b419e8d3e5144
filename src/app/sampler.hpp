// Records of a topic, read without a group, for those who want to know what becomes of them.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "app/config.hpp"
#include "base/deadline.hpp"
#include "model/record.hpp"
#include "model/table_shape.hpp"

namespace sluice {

// Calls `each` with about `count` records of `topic`, as many of each partition: half of them the
// oldest, half the newest. Returns false from `each` to end. Blocks; Kafka's own deadlines count.
Result<void> read_sample(const KafkaConfig& kafka, const std::string& topic, std::size_t count,
                         const std::function<bool(const Record&)>& each);

// For targets with `create`, which says how many records are read of the route's topics in all.
ShapeFinder shape_finder(const Config& config);

}  // namespace sluice
