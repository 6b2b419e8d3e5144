// A password. It has no formatter and no stream operator, so it can't reach a log by accident.
#pragma once

#include <string>
#include <utility>

namespace sluice {

class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    [[nodiscard]] bool empty() const { return value_.empty(); }
    // The only way out; callers pass it straight to a client library.
    [[nodiscard]] const std::string& reveal() const { return value_; }

private:
    std::string value_;
};

}  // namespace sluice
