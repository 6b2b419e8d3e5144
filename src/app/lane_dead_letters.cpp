// What becomes of records that their tables can't take, where a table of dead letters does.
#include <algorithm>

#include "app/lane_worker.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto tell_every = 1s;

}  // namespace

// Hands the record to the dead letters in place of its tables.
Result<void> Lane::Worker::bury(LanePartition& partition, const Record& record, ClockMicros clock,
                                const Error& error) {
    const auto targets = destination_.routes()[partition.route].targets.size();
    const Row row = dead_letter_mapper_.map(record, error, static_cast<std::uint32_t>(targets - 1));
    SLUICE_TRY(destination_.add(partition.route, record, clock, row));
    partition.buried.push_back(record.offset);
    tell_buried(error);
    return {};
}

void Lane::Worker::tell_buried(const Error& error) {
    ++untold_;
    if (next_tell_.passed()) {
        log_->warn("{} to the dead letters, the last one: {}",
                   untold_ == 1 ? "a record goes" : std::to_string(untold_) + " records go",
                   error.message());
        untold_ = 0;
        next_tell_ = Deadline::in(tell_every);
    }
}

void Lane::Worker::count_buried(LanePartition& partition, const OffsetRange& durable) {
    auto& buried = partition.buried;
    const auto from = std::ranges::lower_bound(buried, durable.from);
    const auto to = std::ranges::lower_bound(buried, durable.to);
    const auto count = static_cast<std::uint64_t>(to - from);
    dead_letters_ += count;
    rows_ -= count;  // The destination counts them among its rows.
    buried.erase(from, to);
}

}  // namespace sluice
