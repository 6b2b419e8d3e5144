// `sluice reset`: forgets a lane's progress, so that its next run starts afresh.
#pragma once

#include "app/cli.hpp"

namespace sluice {

// Asks on the terminal unless told not to. Rows already written stay. Returns the exit code: 0
// forgotten, 1 not confirmed, 2 no terminal to ask on, 3 a server is away or refuses (as Kafka
// does while the pipeline runs).
int reset(const ResetOptions& options);

}  // namespace sluice
