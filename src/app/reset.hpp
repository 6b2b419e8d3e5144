// `sluice reset`: forgets a lane's progress, so that its next run starts afresh.
#pragma once

#include "app/cli.hpp"

namespace sluice {

// Asks on the terminal unless told not to. Rows already written stay. Returns the exit code.
int reset(const ResetOptions& options);

}  // namespace sluice
