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

    // `who` waits, or waits for another reason now; the lane hears of reasons that are new, and of
    // one that is left where the one it has heard of is none any more.
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
    using ByWho = std::map<std::string, Wait>;
    struct Waiters {
        ByWho by_who;
        std::string told;  // The reason, of one that waits still.
        bool told_for_records = false;

        [[nodiscard]] ByWho::const_iterator find(const std::string& reason) const;
    };

    // `chosen` is told, or, at the end, any: where the lane has not heard just that.
    void tell(Scope scope, Waiters& waiters, ByWho::const_iterator chosen);

    Outbox& outbox_;
    std::mutex mutex_;
    std::map<Scope, Waiters> waiting_;
};

}  // namespace sluice::postgres
