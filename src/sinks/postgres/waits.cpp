#include "sinks/postgres/waits.hpp"

#include <algorithm>

namespace sluice::postgres {

// Events are posted with the mutex held: of two writers the one that ended last is heard last.
void Waits::begin(const std::string& who, Scope scope, const Error& error, bool for_records) {
    const std::lock_guard lock(mutex_);
    auto& reasons = reasons_[scope];
    const std::string reason = error.message();
    const bool known = std::ranges::any_of(
        reasons, [&](const auto& entry) { return entry.second == reason; });
    reasons.insert_or_assign(who, reason);
    if (!known) {
        outbox_.post(Waiting{error, scope, for_records});
    }
}

void Waits::end(const std::string& who, Scope scope) {
    const std::lock_guard lock(mutex_);
    const auto waiting = reasons_.find(scope);
    if (waiting == reasons_.end() || waiting->second.erase(who) == 0) {
        return;
    }
    if (waiting->second.empty()) {
        reasons_.erase(waiting);
        outbox_.post(Waiting{std::nullopt, scope});
    }
}

}  // namespace sluice::postgres
