// `sluice check`: asks every server everything that `run` needs, writes nothing, and says every
// problem at once.
#pragma once

#include <span>
#include <string_view>

#include "app/cli.hpp"
#include "model/target.hpp"
#include "sinks/findings.hpp"

namespace sluice {

// Findings go to stdout, a line each. Returns the exit code: 0 all is well, 3 something is not.
int check_pipeline(const CheckOptions& options);

// Asks the lane's database whether `routes` fit it. Blocks for up to 15 s.
Result<Inspection> inspect(const Config& config, std::string_view lane,
                           std::span<const Route> routes);

}  // namespace sluice
