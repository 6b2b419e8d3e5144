#include "sinks/destination.hpp"

#include <utility>

namespace sluice {

Error remade_topic(std::string op, const TopicPartition& partition, std::string_view lane) {
    return {.action = Action::stop,
            .op = std::move(op),
            .where = partition.to_string(),
            .code = {},
            .detail = "the topic was deleted and made again since this pipeline read it: its "
                      "offsets mean other records now",
            .hint = "`sluice reset --lane " + std::string(lane) + "` starts afresh"};
}

}  // namespace sluice
