// The lane's place in its consumer group, where it has an instance name: taking over the one that
// an earlier process left, giving it up where it does not fit, and having lost it.
#include <algorithm>
#include <unordered_set>

#include "app/lane_worker.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto place_check_every = 5s;
constexpr auto place_wait = 1s;
constexpr auto leave_wait = 3s;
// Longer than a partition may take to move: it is drained for up to 5 s, and committed.
constexpr unsigned misfits_max = 3;
// Beyond a session's length, until the broker has seen that it ended and the next look.
constexpr auto session_slack = 5s;
// The next look comes a second after the last; later, this process or the broker stood still.
constexpr auto fenced_watched_for = 3s;

}  // namespace

// Who takes a static member's place gets its partitions as they are: the broker does not share
// them out again, whatever the topics are by now (tried on 4.1: a topic that was added, or new
// partitions, had no reader). So a place that no longer fits is given up first.
Result<void> Lane::Worker::renew_membership(Deadline deadline) {
    const auto& member = lane_.options_.consumer;
    if (!member.instance) {
        return {};
    }
    auto described = consumer_->admin().describe_group(member.group, deadline);
    if (fenced_) {
        // Sessions begin anew with a broker that comes back, perhaps while nobody looked.
        if (!described || fenced_->watched.passed()) {
            fenced_->until = after_session();
        }
        fenced_->watched = Deadline::in(fenced_watched_for);
    }
    SLUICE_ASSIGN(const auto group, std::move(described));
    const auto former = std::ranges::find(group.members, member.instance,
                                          &kafka::GroupMember::instance);
    place_unsure_ = false;
    if (fenced_ && former != group.members.end()) {
        auto held = fenced_->by;
        held.action = fenced_->until.passed() ? Action::stop : Action::retry;
        return fail(std::move(held));
    }
    fenced_.reset();
    if (former == group.members.end()) {
        return {};  // Joining makes the group share out its partitions.
    }
    if (!group.stable) {
        // Joining does too, unless the group has ended its rebalance by then.
        place_unsure_ = true;
        misfits_ = 0;
        return {};
    }
    if (place_fits(group, *former)) {
        return {};
    }
    tell_joins_anew();
    return kafka::Consumer::leave_in_place_of(member, topic_names(), deadline, log_);
}

// All that is to be read has a reader, and this member has nothing else.
bool Lane::Worker::place_fits(const kafka::GroupInfo& group, const kafka::GroupMember& own) const {
    std::unordered_set<TopicPartition> unassigned;
    for (const auto& topic : topics_) {
        const auto all = topic.all();
        unassigned.insert(all.begin(), all.end());
    }
    const auto foreign = [&](const TopicPartition& id) { return !unassigned.contains(id); };
    if (std::ranges::any_of(own.assigned, foreign)) {
        return false;
    }
    for (const auto& each : group.members) {
        for (const auto& id : each.assigned) {
            unassigned.erase(id);
        }
    }
    return unassigned.empty();
}

void Lane::Worker::tell_joins_anew() {
    log_->info("instance '{}': the topics or their partitions are others than when it joined the "
               "group; joins anew",
               *lane_.options_.consumer.instance);
}

// A place that was taken over amid a rebalance: whether it fits shows when that has ended.
void Lane::Worker::watch_place() {
    if (!place_unsure_ || !next_place_check_.passed() || !consumer_->is_member()) {
        return;
    }
    const auto& member = lane_.options_.consumer;
    const auto group = consumer_->admin().describe_group(member.group, Deadline::in(place_wait));
    next_place_check_ = Deadline::in(place_check_every);
    if (!group || !group->stable) {
        return;
    }
    const auto own = std::ranges::find(group->members, member.instance,
                                       &kafka::GroupMember::instance);
    if (own != group->members.end() && place_fits(*group, *own)) {
        place_unsure_ = false;
        return;
    }
    // Also a partition that moves is nobody's until its former owner has let go of it.
    if (++misfits_ < misfits_max) {
        return;
    }
    misfits_ = 0;
    tell_joins_anew();
    if (auto joined = consumer_->join_anew(topic_names(), Deadline::in(leave_wait)); !joined) {
        log_->warn("{}", joined.error().message());
    }
}

// Once more: all but the membership is as it was.
Result<void> Lane::Worker::try_join(Deadline deadline) {
    SLUICE_ASSIGN(auto consumer, kafka::Consumer::open(lane_.options_.consumer, log_));
    consumer_.emplace(std::move(consumer));
    SLUICE_TRY(renew_membership(deadline));
    log_->info("instance '{}': joins the group again", *lane_.options_.consumer.instance);
    return consumer_->subscribe(topic_names(), *this);
}

Deadline Lane::Worker::after_session() const {
    return Deadline::in(kafka::session_timeout(lane_.options_.consumer) + session_slack);
}

// Another member has our name. That may be our own earlier membership: a broker that goes down
// amid a rebalance comes back with the one before. Nobody speaks for that, so that it ends with its
// session; another process's does not.
bool Lane::Worker::may_start_again() {
    if (lane_.stopping_ || fenced_ || !fatal_ || fatal_->code != kafka::code_fenced_instance) {
        return false;
    }
    const auto& member = lane_.options_.consumer;
    fenced_ = Fencing{*fatal_, after_session(), Deadline::in(fenced_watched_for)};
    fatal_.reset();
    if (const auto ours = own_partitions(); !ours.empty()) {
        lost(ours);
    }
    consumer_.reset();
    log_->warn("instance '{}': waits for the end of its name's session in the group",
               *member.instance);
    return true;
}

}  // namespace sluice
