// `sluice init`: proposes a configuration from what a topic's records look like.
#pragma once

#include "app/cli.hpp"

namespace sluice {

// The file goes to stdout. Returns the exit code: 0, or 3 where there is nothing to look at.
int init(const InitOptions& options);

}  // namespace sluice
