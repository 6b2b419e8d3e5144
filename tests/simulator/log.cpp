#include "simulator/log.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace sluice::sim {

void Log::append(Produced record) {
    Partition& partition = partitions[static_cast<std::size_t>(record.partition)];
    record.offset = partition.end++;
    record.number = ++produced;
    partition.records.push_back(std::move(record));
}

void Log::compact(std::int32_t partition, std::int64_t end) {
    std::set<std::string> newer;
    auto& records = partitions[static_cast<std::size_t>(partition)].records;
    for (auto record = records.rbegin(); record != records.rend(); ++record) {
        const bool last = record->offset >= end || newer.insert(record->key).second;
        record->gone = record->gone || !last;
    }
}

void Log::leave_gap(std::int32_t partition, std::int64_t offsets) {
    partitions[static_cast<std::size_t>(partition)].end += offsets;
}

void fold(State& state, const Produced& record) {
    if (record.bad) {
        return;
    }
    if (!record.value) {
        state.erase(record.key);
        return;
    }
    StateRow& row = state[record.key];
    if (record.a.present) {
        row.a = record.a.text;
    }
    if (record.b.present) {
        row.b = record.b.text;
    }
    row.partition = record.partition;
    row.offset = record.offset;
}

State fold(const Log& log) {
    std::vector<const Produced*> all;
    for (const auto& partition : log.partitions) {
        for (const auto& record : partition.records) {
            if (!record.gone) {
                all.push_back(&record);
            }
        }
    }
    std::ranges::sort(all, {}, &Produced::number);
    State state;
    for (const auto* record : all) {
        fold(state, *record);
    }
    return state;
}

}  // namespace sluice::sim
