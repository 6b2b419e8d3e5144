// The write clock: which timestamp a record's rows carry in Cassandra. Pure.
//
// ts = max(record timestamp in µs, last + 1), one tick a record in log order, also for records
// that write nothing. Together with the offset it is one pair (see metadata.hpp): whoever writes
// a record, and however often, gives it the same timestamp. Measured against its rivals in a
// randomized model: docs/decisions/0002-write-clock.md.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "model/ids.hpp"

namespace sluice::commit {

class WriteClock {
public:
    explicit WriteClock(ClockMicros last = ClockMicros{0}) : last_(last) {}

    // The timestamp of the next record. A record time outside 1970 to 2200 counts as absent:
    // one stray record must not push the clock where nothing can follow.
    ClockMicros tick(std::optional<std::int64_t> record_ms) {
        const std::int64_t record_us = record_ms && *record_ms >= 0 && *record_ms < year_2200_ms
                                           ? *record_ms * 1000
                                           : 0;
        last_ = ClockMicros{std::max(record_us, last_.value() + 1)};
        return last_;
    }
    [[nodiscard]] ClockMicros last() const { return last_; }

private:
    static constexpr std::int64_t year_2200_ms = 7'258'118'400'000;
    ClockMicros last_;
};

}  // namespace sluice::commit
