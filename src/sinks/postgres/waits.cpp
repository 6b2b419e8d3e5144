#include "sinks/postgres/waits.hpp"

#include <algorithm>

namespace sluice::postgres {

// Events are posted with the mutex held: of two writers the one that ended last is heard last.
void Waits::begin(const std::string& who, Scope scope, const Error& error, bool for_records) {
    const std::lock_guard lock(mutex_);
    Waiters& waiters = waiting_[scope];
    const auto known = waiters.find(error.message());
    const bool fresh = known == waiters.by_who.end();
    const auto [wait, added] = waiters.by_who.insert_or_assign(who, Wait{error, for_records});
    tell(scope, waiters, fresh ? wait : waiters.find(waiters.told));
}

void Waits::end(const std::string& who, Scope scope) {
    const std::lock_guard lock(mutex_);
    const auto waiting = waiting_.find(scope);
    if (waiting == waiting_.end() || waiting->second.by_who.erase(who) == 0) {
        return;
    }
    Waiters& waiters = waiting->second;
    if (waiters.by_who.empty()) {
        waiting_.erase(waiting);
        outbox_.post(Waiting{std::nullopt, scope});
    } else {
        tell(scope, waiters, waiters.find(waiters.told));
    }
}

void Waits::tell(Scope scope, Waiters& waiters, ByWho::const_iterator chosen) {
    const Error& error =
        (chosen == waiters.by_who.end() ? waiters.by_who.begin() : chosen)->second.error;
    const bool for_records = std::ranges::all_of(
        waiters.by_who, [](const auto& entry) { return entry.second.for_records; });
    if (error.message() != waiters.told || for_records != waiters.told_for_records) {
        waiters.told = error.message();
        waiters.told_for_records = for_records;
        outbox_.post(Waiting{error, scope, for_records});
    }
}

Waits::ByWho::const_iterator Waits::Waiters::find(const std::string& reason) const {
    return std::ranges::find_if(
        by_who, [&](const auto& entry) { return entry.second.error.message() == reason; });
}

}  // namespace sluice::postgres
