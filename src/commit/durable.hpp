// Up to which record a partition is durable, when ranges become so in any order. Pure.
#pragma once

#include <deque>

#include "model/ids.hpp"

namespace sluice::commit {

// A partition's progress as one pair; see clock.hpp.
struct Pair {
    Offset next;
    ClockMicros clock;  // The write clock after the record before `next`.
    auto operator<=>(const Pair&) const = default;
};

class DurablePrefix {
public:
    explicit DurablePrefix(Pair start)
        : durable_(start), delivered_(start.next), passed_(start.next) {}

    // [from, to) is on its way; `clock` is the write clock behind its last record. Ranges are
    // delivered in log order, each beginning where the one before it ended.
    void delivered(Offset from, Offset to, ClockMicros clock);
    // Between the last delivered record and `to` the log holds nothing to write (transaction
    // markers): `to` is as good as the record before it.
    void passed(Offset to);
    // [from, to) is durable. Delivered ranges become so in any order; the parts of one in log
    // order.
    void durable(Offset from, Offset to);
    // Nothing from `end` on will be durable: it ends the delivered range that it lies in, and those
    // behind it are no more. Nothing is delivered after this.
    void cut(Pair end);

    // All before `next` is durable, and the clock goes with it.
    [[nodiscard]] const Pair& position() const { return durable_; }
    [[nodiscard]] bool complete() const { return ranges_.empty(); }

private:
    void advance();

    struct Range {
        Offset to;
        ClockMicros clock;
        Offset durable_to;  // From the range's beginning up to here.
    };
    Pair durable_;
    Offset delivered_;          // The end of the last delivered range.
    Offset passed_;             // At or behind it.
    std::deque<Range> ranges_;  // Delivered, and not all before it durable.
};

}  // namespace sluice::commit
