// The dead letters of a topic, read from its beginning to its present end, without a group.
#pragma once

#include <memory>
#include <string>

#include "base/log.hpp"
#include "kafka/client.hpp"
#include "sinks/stored_letters.hpp"

namespace sluice::deadletter {

// Those that the lane of this group has sent (the header `__connect.errors.connector.name`). They
// come in the topic's order, and one that was sent again comes again.
Result<std::unique_ptr<LetterStore>> open_letters(const kafka::ClientOptions& client,
                                                  const std::string& topic,
                                                  const std::string& group, const Logger& log,
                                                  Deadline deadline);

}  // namespace sluice::deadletter
