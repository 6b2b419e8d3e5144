// `sluice produce`: one event a line into a topic.
#pragma once

#include "app/cli.hpp"

namespace sluice {

// Returns the exit code: 0 all acknowledged, 1 some line failed, 2 the input can't be read, 3 no
// broker or no topic. SIGINT and SIGTERM end the reading; what was sent is still seen through, and
// counted.
int produce(const ProduceOptions& options);

}  // namespace sluice
