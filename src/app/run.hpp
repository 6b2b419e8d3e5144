// `sluice run`: starts the lanes, watches them, and ends them in order.
#pragma once

#include "app/cli.hpp"

namespace sluice {

// Returns the exit code: 0 done or stopped by a signal; 1 failed, or with --until-end partitions
// that did not reach their end; 3 nothing could be started. Blocks SIGINT and SIGTERM for the
// process: the first drains, the second exits at once.
int run(const RunOptions& options);

}  // namespace sluice
