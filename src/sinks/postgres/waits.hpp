// Who waits, and for what: the lane hears once that something waits, however many writers and
// partitions do, and once that nothing does any more. Safe to use from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "sinks/postgres/outbox.hpp"

namespace sluice::postgres {

class Waits {
public:
    // Of which a wait holds up: one route, or (nothing) the whole lane.
    using Scope = std::optional<std::uint32_t>;

    // The outbox outlives this.
    explicit Waits(Outbox& outbox) : outbox_(outbox) {}

    // `who` waits, or waits for another reason now; the lane hears of reasons that are new.
    // `for_records`: for the next ones of that route. It is fetched further where all who wait
    // with it do.
    void begin(const std::string& who, Scope scope, const Error& error, bool for_records = false);
    // Does nothing where `who` did not wait.
    void end(const std::string& who, Scope scope);

private:
    struct Wait {
        Error error;
        bool for_records = false;
    };
    using Waiters = std::map<std::string, Wait>;  // By who.

    static bool all_for_records(const Waiters& waiters);

    Outbox& outbox_;
    std::mutex mutex_;
    std::map<Scope, Waiters> waiting_;
};

}  // namespace sluice::postgres
