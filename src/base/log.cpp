#include "base/log.hpp"

#include <spdlog/fmt/chrono.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>

#include "base/text.hpp"

namespace sluice {
namespace {

constexpr std::array<std::string_view, 5> levels{"debug", "info", "warn", "error", "off"};

void append_json_string(fmt::memory_buffer& out, std::string_view text) {
    out.push_back('"');
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out.push_back('\\');
            out.push_back(c);
        } else if (byte < 0x20) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
        } else {
            out.push_back(c);
        }
    }
    out.push_back('"');
}

// Control characters would let a record's text forge lines or colours on a terminal.
void append_plain(fmt::memory_buffer& out, std::string_view text) {
    for (const char c : text) {
        out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
    }
}

class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit StderrSink(LogFormat format) : format_(format) {}

    void set_interlude(LogInterlude* interlude) {
        const std::lock_guard lock(mutex_);
        interlude_ = interlude;
    }

private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        fmt::memory_buffer line;
        const auto time = fmt::gmtime(std::chrono::system_clock::to_time_t(message.time));
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                            message.time.time_since_epoch())
                            .count() %
                        1000;
        const auto level = spdlog::level::to_string_view(message.level);
        const std::string_view level_name(level.data(), level.size());
        const std::string_view name(message.logger_name.data(), message.logger_name.size());
        const std::string_view text(message.payload.data(), message.payload.size());
        auto out = std::back_inserter(line);
        if (format_ == LogFormat::json) {
            fmt::format_to(out, R"({{"time":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","level":"{}","part":)",
                           time, ms, level_name);
            append_json_string(line, name);
            fmt::format_to(out, R"(,"message":)");
            append_json_string(line, text);
            line.push_back('}');
        } else {
            fmt::format_to(out, "{:%Y-%m-%dT%H:%M:%S}.{:03}Z {:<7} {}: ", time, ms, level_name,
                           name);
            append_plain(line, text);
        }
        line.push_back('\n');
        if (interlude_ != nullptr) {
            interlude_->before_line();
        }
        // A full disk or a closed terminal must not stop the pipeline.
        (void)std::fwrite(line.data(), 1, line.size(), stderr);
        if (interlude_ != nullptr) {
            interlude_->after_line();
        }
    }
    void flush_() override { (void)std::fflush(stderr); }

    LogFormat format_;
    LogInterlude* interlude_ = nullptr;
};

// Process-wide by nature: there is one stderr.
std::shared_ptr<StderrSink>& process_sink() {
    static auto sink = std::make_shared<StderrSink>(LogFormat::text);
    return sink;
}

spdlog::level::level_enum& process_level() {
    static auto level = spdlog::level::info;
    return level;
}

}  // namespace

Result<void> start_logging(std::string_view level, LogFormat format) {
    if (std::ranges::find(levels, level) == levels.end()) {
        return fail({.action = Action::configure,
                     .op = "log",
                     .where = {},
                     .code = {},
                     .detail = fmt::format("'{}' is not a log level", level),
                     .hint = "use one of " + join(levels)});
    }
    process_level() = spdlog::level::from_str(std::string(level));
    process_sink() = std::make_shared<StderrSink>(format);
    return {};
}

Logger make_logger(std::string_view name) {
    auto logger = std::make_shared<spdlog::logger>(std::string(name), process_sink());
    logger->set_level(process_level());
    return logger;
}

void set_log_interlude(LogInterlude* interlude) { process_sink()->set_interlude(interlude); }

}  // namespace sluice
