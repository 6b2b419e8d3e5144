#include "model/ids.hpp"

namespace sluice {

std::string TopicPartition::to_string() const {
    return topic + "[" + std::to_string(partition.value()) + "]";
}

std::string TopicPartition::at(Offset offset) const {
    return to_string() + "@" + std::to_string(offset.value());
}

}  // namespace sluice
