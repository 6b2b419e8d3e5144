// What the files of `sluice dlq` share; inside app only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/dlq.hpp"
#include "app/wiring.hpp"
#include "sinks/stored_letters.hpp"

namespace sluice {

// Those that the command is about.
std::vector<std::string> lanes_of(const DlqOptions& options);
// The dead letters of one lane, where the configuration keeps them.
Result<std::unique_ptr<LetterStore>> open_store(const Config& config, const std::string& lane);

// Exit codes.
int replay(const DlqOptions& options, const Logger& log);
int skip(const DlqOptions& options, const Logger& log);

}  // namespace sluice
