#include "sinks/postgres/waits.hpp"

#include <algorithm>

namespace sluice::postgres {

// Events are posted with the mutex held: of two writers the one that ended last is heard last.
void Waits::begin(const std::string& who, Scope scope, const Error& error, bool for_records) {
    const std::lock_guard lock(mutex_);
    Waiters& waiters = waiting_[scope];
    const std::string reason = error.message();
    const bool known = std::ranges::any_of(
        waiters, [&](const auto& entry) { return entry.second.error.message() == reason; });
    const bool before = all_for_records(waiters);
    waiters.insert_or_assign(who, Wait{error, for_records});
    if (!known || all_for_records(waiters) != before) {
        outbox_.post(Waiting{error, scope, all_for_records(waiters)});
    }
}

bool Waits::all_for_records(const Waiters& waiters) {
    return std::ranges::all_of(waiters, [](const auto& entry) { return entry.second.for_records; });
}

void Waits::end(const std::string& who, Scope scope) {
    const std::lock_guard lock(mutex_);
    const auto waiting = waiting_.find(scope);
    if (waiting == waiting_.end()) {
        return;
    }
    Waiters& waiters = waiting->second;
    const bool before = all_for_records(waiters);
    if (waiters.erase(who) == 0) {
        return;
    }
    if (waiters.empty()) {
        waiting_.erase(waiting);
        outbox_.post(Waiting{std::nullopt, scope});
    } else if (all_for_records(waiters) != before) {
        outbox_.post(Waiting{waiters.begin()->second.error, scope, !before});
    }
}

}  // namespace sluice::postgres
