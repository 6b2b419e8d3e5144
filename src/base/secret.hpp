// A password. It has no formatter and no stream operator, so it can't reach a log by accident.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace sluice {

class Secret {
public:
    Secret() = default;
    // What it is now, or nothing where that can't be told; asked from any thread.
    using Source = std::function<std::optional<std::string>()>;
    // With a source it may change while the process runs; `value` stands in for what that can't
    // tell.
    explicit Secret(std::string value, Source source = {})
        : value_(std::move(value)), source_(std::move(source)) {}
    // As it was at the start.
    [[nodiscard]] bool empty() const { return value_.empty(); }
    // The only way out; callers pass it straight to a client library, at each login.
    [[nodiscard]] std::string reveal() const {
        return source_ ? source_().value_or(value_) : value_;
    }

private:
    std::string value_;
    Source source_;
};

}  // namespace sluice
