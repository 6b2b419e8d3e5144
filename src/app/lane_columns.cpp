// Columns that records bring, and tables lack (`evolve: add_columns`).
#include <algorithm>

#include "app/lane_worker.hpp"
#include "base/text.hpp"
#include "map/sample.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto add_wait = 5s;
constexpr auto add_again_after = 2s;
constexpr std::string_view evolve_op = "evolve";

Error lacks_columns(const Target& target, const std::vector<ColumnShape>& columns) {
    std::vector<std::string> names;
    for (const auto& column : columns) {
        names.push_back(printable(column.name));
    }
    return {.action = Action::retry,
            .op = std::string(evolve_op),
            .where = {},
            .code = {},
            .detail = "table '" + target.table + "' gets columns: " + join(names),
            .hint = {}};
}

}  // namespace

// A record whose schema has fields that a table has no columns for waits, and with it its
// partition: the poll's other rows are encoded as the table was.
Result<void> Lane::Worker::look_for_new_fields(std::uint32_t route) {
    const auto& targets = destination_.routes()[route].targets;
    for (std::uint32_t t = 0; t < targets.size(); ++t) {
        if (!targets[t].adds_columns) {
            continue;
        }
        std::uint64_t& seen = seen_schemas_[{route, t}];
        if (seen == event_.value.schema_id) {
            continue;
        }
        auto fields = new_fields(targets[t], event_);
        if (!fields.empty() && !tried_schemas_.contains({route, t, event_.value.schema_id})) {
            Error error = lacks_columns(targets[t], fields);
            want({route, t}, std::move(fields));
            return fail(std::move(error));
        }
        seen = event_.value.schema_id;
    }
    return {};
}

// Another partition's record may want others.
void Lane::Worker::want(const TargetNumber& target, std::vector<ColumnShape> fields) {
    WantedColumns& wanted = wanted_columns_[target];
    wanted.schema = event_.value.schema_id;
    for (auto& field : fields) {
        if (std::ranges::find(wanted.columns, field.name, &ColumnShape::name) ==
            wanted.columns.end()) {
            wanted.columns.push_back(std::move(field));
        }
    }
}

void Lane::Worker::wait_for_columns(LanePartition& partition, const Error& error) {
    partition.fault = error;
    partition.phase = PartitionPhase::faulted;
    partition.fetch_at = Deadline::never();
    if (auto stopped = consumer_->stop(partition.id); !stopped) {
        stop_partition(partition.id, stopped.error());
    }
}

// After a seal().
void Lane::Worker::add_columns() {
    for (auto wanted = wanted_columns_.begin(); wanted != wanted_columns_.end();) {
        if (!wanted->second.due.passed()) {
            ++wanted;
            continue;
        }
        const auto [route, target] = wanted->first;
        if (std::ranges::none_of(partitions_, [&](const auto& entry) {
                return waits_for_columns(entry.second, route);
            })) {
            wanted = wanted_columns_.erase(wanted);  // Given away, or stopped.
            continue;
        }
        auto added = destination_.add_columns(route, target, wanted->second.columns,
                                              Deadline::in(add_wait));
        if (added) {
            added = take_up_columns(route, target);
        }
        if (!added) {
            tell_columns_wait(route, wanted->second, added.error());
            ++wanted;
            continue;
        }
        log_->info("{}", lacks_columns(destination_.routes()[route].targets[target],
                                       wanted->second.columns)
                             .detail);
        // What a table has otherwise (a generated column) is not asked for again.
        tried_schemas_.insert({route, target, wanted->second.schema});
        wanted = wanted_columns_.erase(wanted);
    }
}

Result<void> Lane::Worker::take_up_columns(std::uint32_t route, std::uint32_t target) {
    SLUICE_ASSIGN(auto mapper, Mapper::create(destination_.routes()[route], target));
    mappers_[route][target] = std::move(mapper);
    for (auto& [id, partition] : partitions_) {
        if (waits_for_columns(partition, route)) {
            partition.fetch_at = Deadline::in(0ms);
        }
    }
    return {};
}

bool Lane::Worker::waits_for_columns(const LanePartition& partition, std::uint32_t route) {
    return partition.route == route && partition.phase == PartitionPhase::faulted &&
           partition.fault->op == evolve_op;
}

// A run that is to end waits for a lock, but not for somebody who may do it.
void Lane::Worker::tell_columns_wait(std::uint32_t route, WantedColumns& wanted,
                                     const Error& error) {
    if (wanted.told != error.message()) {
        wanted.told = error.message();
        log_->error("columns can't be added, tried again: {}", error.message());
    }
    wanted.due = Deadline::in(add_again_after);
    for (auto& [id, partition] : partitions_) {
        if (!waits_for_columns(partition, route)) {
            continue;
        }
        partition.fault = error;
        partition.fault->op = evolve_op;
        if (lane_.options_.until_end && error.action != Action::retry) {
            stop_partition(id, error);
        }
    }
}

}  // namespace sluice
