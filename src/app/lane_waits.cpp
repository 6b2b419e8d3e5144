// What a lane does while its database, or the tables of a route, can't be written.
#include "app/lane_worker.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

// --until-end: for so long a table that can't be written is tried again. Chosen, not measured:
// some five tries.
constexpr auto route_patience = 10s;

}  // namespace

void Lane::Worker::handle(const Waiting& waiting) {
    if (!waiting.route) {
        if (waiting.error &&
            (!waiting_database_ || waiting_database_->code != waiting.error->code)) {
            log_->warn("waits: {}", waiting.error->message());
        } else if (!waiting.error && waiting_database_) {
            log_->info("goes on");
        }
        waiting_database_ = waiting.error;
        return;
    }
    const std::uint32_t route = *waiting.route;
    if (waiting.error) {
        log_->error("tables of route {} can't be written, tried again: {}", route + 1,
                    waiting.error->message());
        WaitingRoute& state = waiting_routes_[route];
        if (!state.give_up || state.error.action == Action::retry) {
            state.give_up = Deadline::in(route_patience);
        }
        state.error = *waiting.error;
        state.fetched = waiting.for_records;
    } else {
        const auto entry = waiting_routes_.find(route);
        if (entry != waiting_routes_.end() && !entry->second.given_up) {
            log_->info("tables of route {} can be written again", route + 1);
        }
        waiting_routes_.erase(route);
    }
    for (auto& [id, partition] : partitions_) {
        if (partition.route != route) {
            continue;
        }
        Result<void> done;
        const bool fetched = !waiting.error || waiting.for_records;
        if (!fetched && partition.phase == PartitionPhase::fetching) {
            partition.phase = PartitionPhase::held;
            done = consumer_->stop(id);
        } else if (fetched && partition.phase == PartitionPhase::held) {
            partition.phase = PartitionPhase::fetching;
            done = consumer_->start(id, partition.position);
        }
        if (!done) {
            stop_partition(id, done.error());
        }
    }
}

bool Lane::Worker::is_held(std::uint32_t route) const {
    const auto waiting = waiting_routes_.find(route);
    return waiting != waiting_routes_.end() && !waiting->second.fetched;
}

// A run that is to end does not wait for somebody to mend a table; for one that is locked it does.
void Lane::Worker::give_up_routes() {
    for (auto& [route, waiting] : waiting_routes_) {
        if (!waiting.give_up->passed() || waiting.error.action == Action::retry) {
            continue;
        }
        waiting.given_up = true;
        // Also those that are stopped already: of them too something may wait for the table.
        std::vector<TopicPartition> open;
        for (const auto& [id, partition] : partitions_) {
            const bool ended = is_at_end(partition) && partition.prefix &&
                               partition.prefix->complete();
            if (partition.route == route && !ended &&
                (partition.phase == PartitionPhase::held ||
                 partition.phase == PartitionPhase::fetching ||
                 partition.phase == PartitionPhase::stopped)) {
                open.push_back(id);
            }
        }
        destination_.abandon(open);
        for (const auto& id : open) {
            stop_partition(id, waiting.error);
        }
    }
}

}  // namespace sluice
