// Logging: stderr, one line an event, plain or JSON. Never payloads, keys or secrets.
#pragma once

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sluice {

using Logger = std::shared_ptr<spdlog::logger>;

enum class LogFormat { text, json };

// Sets the process's sink once, before any thread starts. `level` is debug, info, warn, error or
// off.
Result<void> start_logging(std::string_view level, LogFormat format);
// A logger that names its part of the program ("postgres", "kafka"); safe to use from any thread.
Logger make_logger(std::string_view name);

// Runs around every line written, on the thread that logs, so that a live display can step aside.
// Owned by the caller, who takes it back (nullptr) before it dies.
class LogInterlude {
public:
    virtual ~LogInterlude() = default;
    virtual void before_line() = 0;
    virtual void after_line() = 0;
};
void set_log_interlude(LogInterlude* interlude);

}  // namespace sluice
