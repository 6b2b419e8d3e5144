// A record on its way from the poll to the destination: decoded, mapped, handed over, or buried.
#include <algorithm>
#include <span>
#include <string>

#include "app/lane_worker.hpp"
#include "base/check.hpp"

namespace sluice {
namespace {

std::size_t size_of(const Record& record) {
    return record.key.value_or("").size() + record.value.value_or("").size();
}

// Its headers too, where they are asked for: dead letters keep them.
std::size_t whole_size_of(const Record& record) {
    std::size_t sum = size_of(record);
    for (const auto& header : record.headers) {
        sum += header.name.size() + header.value.value_or("").size();
    }
    return sum;
}

Error too_large(const Record& record, const std::string& what, Bytes most) {
    return {.action = Action::reject,
            .op = "lane.size",
            .where = record.where(),
            .code = {},
            .detail = what + "; of one record it may be " + std::to_string(most.value()) +
                      ", a sixteenth of `memory`",
            .hint = "give the process more `memory`"};
}

}  // namespace

void Lane::Worker::deliver(LanePartition& partition, const Record& record) {
    check(record.offset >= partition.position, "records come in log order");
    // A tick for every record, also for one that is refused: whoever passes it gives the same.
    const commit::WriteClock before = partition.clock;
    const ClockMicros clock = partition.clock.tick(record.timestamp_ms);
    const bool fits = whole_size_of(record) <= lane_.options_.record_max.value();
    auto written = fits ? write_rows(partition, record, clock)
                        : fail(too_large(record,
                                         "the record has " + std::to_string(whole_size_of(record)) +
                                             " bytes of key, value and headers",
                                         lane_.options_.record_max));
    if (!written && lane_.options_.buries && written.error().action == Action::reject) {
        const Error why = std::move(written).error();
        written = bury(partition, fits ? record : without_content(record), clock, why);
        if (!written && fits && written.error().action == Action::reject) {
            written = bury(partition, without_content(record), clock, why);  // Too large a letter.
        }
    }
    if (!written) {
        partition.clock = before;  // The record stays in front of the partition's position.
        if (written.error().action == Action::retry) {
            wait_for_columns(partition, written.error());
        } else {
            stop_partition(partition.id, written.error());
        }
        return;
    }
    destination_.end_record(partition.route, record, clock);
    partition.position = record.offset.next();
    ++records_;
    bytes_ += size_of(record);
}

Result<void> Lane::Worker::write_rows(LanePartition& partition, const Record& record,
                                      ClockMicros clock) {
    const Route& route = destination_.routes()[partition.route];
    SLUICE_TRY(decoder_.decode(record, route.key_format, route.value_format, route.duplicate_names,
                               event_));
    if (event_.value.schema_id != 0) {
        SLUICE_TRY(look_for_new_fields(partition.route));
    }
    // All rows are mapped before the first is handed over: a record is taken whole or not at all.
    rows_of_record_.clear();
    for (auto& mapper : mappers_[partition.route]) {
        SLUICE_ASSIGN(const auto rows, mapper.map(event_, partition.topic_id));
        rows_of_record_.insert(rows_of_record_.end(), rows.begin(), rows.end());
    }
    if (const std::size_t bytes = size_of_items(); bytes > lane_.options_.record_max.value()) {
        return fail(too_large(record, "the items' rows have " + std::to_string(bytes) + " bytes",
                              lane_.options_.record_max));
    }
    for (const auto& row : rows_of_record_) {
        auto added = destination_.add(partition.route, record, clock, row);
        if (!added) {
            const std::string place = record.where();
            if (std::string& where = added.error().where; row.item && where.starts_with(place)) {
                where.insert(place.size(), ", item " + std::to_string(*row.item));
            }
            return added;
        }
    }
    mapped_ += rows_of_record_.size();
    handed_over_ += rows_of_record_.size();
    return {};
}

// What a field outside the items is repeated in each of their rows for, so that a small record may
// become large. Of other rows the record's own size tells enough.
std::size_t Lane::Worker::size_of_items() const {
    std::size_t sum = 0;
    for (const auto& row : rows_of_record_) {
        for (const auto& cell : row.item ? row.cells : std::span<const Cell>{}) {
            sum += std::max(cell.text.size(), cell.raw.size());
        }
    }
    return sum;
}

}  // namespace sluice
