// `sluice check`: asks every server everything that `run` needs, writes nothing, and says every
// problem at once.
#pragma once

#include "app/cli.hpp"

namespace sluice {

// Findings go to stdout, a line each. Returns the exit code: 0 all is well, 3 something is not.
int check_pipeline(const CheckOptions& options);

}  // namespace sluice
