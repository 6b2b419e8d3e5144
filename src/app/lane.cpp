#include "app/lane.hpp"

#include <pthread.h>

#include <algorithm>

#include "app/lane_worker.hpp"
#include "base/check.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t poll_records_max = 2000;
constexpr auto poll_wait = 10ms;
constexpr auto room_wait = 20ms;
constexpr auto end_check_every = 20ms;
constexpr auto committed_check_every = 500ms;
constexpr auto leave_wait = 3s;
// Where nobody has said how long the end may take: after --until-end, or a fatal error.
constexpr auto own_end_wait = 25s;

}  // namespace

Lane::Lane(LaneOptions options, std::unique_ptr<Destination> destination, Logger log)
    : options_(std::move(options)), destination_(std::move(destination)), log_(std::move(log)) {
    status_.name = options_.name;
}

Lane::~Lane() { check(!thread_.joinable(), "a lane is joined before it dies"); }

void Lane::start() {
    thread_ = std::thread([this] { Worker(*this).run(); });
    (void)pthread_setname_np(thread_.native_handle(),
                             ("lane-" + options_.name).substr(0, 15).c_str());
}

void Lane::stop(Deadline deadline, kafka::Membership membership) {
    {
        const std::lock_guard lock(mutex_);
        drain_ = deadline;
        membership_ = membership;
    }
    stopping_ = true;
}

void Lane::join() {
    if (thread_.joinable()) {
        thread_.join();
    }
}

LaneStatus Lane::status() const {
    const std::lock_guard lock(mutex_);
    return status_;
}

void Lane::Worker::run() {
    do {
        if (start()) {
            stream();
        }
    } while (may_start_again());
    finish();
}

void Lane::Worker::stream() {
    while (!lane_.stopping_ && !fatal_) {
        serve();
        handle_events();
        watch_topics();
        watch_place();
        settle_assigned();
        add_columns();
        fetch_again();
        commit_progress(false);
        if (next_publish_.passed()) {
            publish();
        }
        if (lane_.options_.until_end && next_end_check_.passed()) {
            next_end_check_ = Deadline::in(end_check_every);
            give_up_routes();
            if (reached_end()) {
                return;
            }
        }
        if (destination_.wait_for_room(Deadline::in(room_wait)) && may_poll()) {
            poll();
        }
    }
}

void Lane::Worker::serve() {
    auto served = consumer_->serve();
    if (served) {
        return;
    }
    if (served.error().action == Action::stop) {
        fatal_ = served.error();
        log_->error("{}", fatal_->message());
        return;
    }
    if (!kafka_trouble_ || kafka_trouble_->code != served.error().code) {
        log_->warn("kafka: {}", served.error().message());
    }
    kafka_trouble_ = served.error();
}

void Lane::Worker::poll() {
    kafka::PollMax most{poll_records_max, lane_.options_.poll_max};
    if (rate_limit_) {
        std::size_t rows = 1;  // That a record may give.
        for (const auto& route : destination_.routes()) {
            rows = std::max(rows, route.targets.size());
        }
        most.records = std::clamp<std::size_t>(rate_limit_->step() / rows, 1, poll_records_max);
    }
    const std::uint64_t before = handed_over_;
    const auto polled = consumer_->poll(poll_wait, most);
    // A process that stood still wakes up here, and the client may have fetched from another topic
    // of this name meanwhile.
    watch_topics();
    if (topics_known_.passed()) {
        drop_unsure(polled);
    } else {
        deliver(polled);
    }
    if (rate_limit_ && handed_over_ > before) {
        rate_limit_->took(handed_over_ - before, RateLimit::Clock::now());
    }
}

// With a rate limit: waits for the next rows' time, a turn at most. What a slow database has not
// taken yet is not added to: it would come at once when it is quick again.
bool Lane::Worker::may_poll() {
    if (!rate_limit_) {
        return true;
    }
    const auto now = RateLimit::Clock::now();
    if (records_under_way() >= rate_limit_->under_way_max()) {
        std::this_thread::sleep_until(now + poll_wait);
        return false;
    }
    if (rate_limit_->next() > now) {
        std::this_thread::sleep_until(std::min(rate_limit_->next(), now + room_wait));
    }
    return rate_limit_->next() <= RateLimit::Clock::now();
}

// By their offsets, so that gaps count too, until what is before them is durable. Of a partition
// that is stopped, held, or waits for its next records, what is behind its progress is not on its
// way.
std::size_t Lane::Worker::records_under_way() const {
    std::size_t sum = 0;
    for (const auto& [id, partition] : partitions_) {
        const auto& prefix = partition.prefix;
        if (partition.phase == PartitionPhase::fetching && prefix &&
            !waiting_routes_.contains(partition.route) &&
            partition.position > prefix->position().next) {
            sum += static_cast<std::size_t>(partition.position.value() -
                                            prefix->position().next.value());
        }
    }
    return sum;
}

void Lane::Worker::deliver(const kafka::Poll& poll) {
    if (!poll.records().empty() || !poll.ends().empty()) {
        kafka_trouble_.reset();
    }
    raise_bounds(poll);
    for (const auto& record : poll.records()) {
        if (record.partition != last_id_) {
            last_id_ = record.partition;
            last_partition_ = find(*record.partition);
        }
        if (last_partition_ != nullptr && last_partition_->phase == PartitionPhase::fetching) {
            deliver(*last_partition_, record);
        }
    }
    if (!settle_dead_letters()) {
        return;
    }
    for (const auto& range : destination_.seal()) {
        LanePartition* partition = find(range.partition);
        check(partition != nullptr && partition->prefix, "sealed ranges are of our partitions");
        partition->prefix->delivered(range.from, range.to, partition->clock.last());
    }
    for (const auto& end : poll.ends()) {
        LanePartition* partition = find(end.partition);
        if (partition != nullptr && partition->phase == PartitionPhase::fetching) {
            partition->at_end = true;
            partition->fault.reset();
            partition->prefix->passed(end.end);
        }
    }
    for (const auto& fault : poll.faults()) {
        handle(fault);
    }
}

void Lane::Worker::handle(const kafka::PartitionFault& fault) {
    if (fault.error.action != Action::stop) {
        fetch_later(fault);
        return;
    }
    Error error = fault.error;
    if (error.code == "_AUTO_OFFSET_RESET") {
        error.hint += gap_before(fault.partition) +
                      "; to begin again by the start policy: `sluice reset --lane " +
                      lane_.options_.name + "`";
    }
    stop_partition(fault.partition, error);
}

// Every partition has come to the end that it had when the lane started, here or, by its commits,
// in another process; or it is stopped.
bool Lane::Worker::reached_end() {
    for (const auto& topic : topics_) {
        for (std::int32_t p = 0; p < topic.partitions; ++p) {
            const Offset end = topic.ends[static_cast<std::size_t>(p)];
            const TopicPartition id{topic.name, PartitionId{p}};
            const LanePartition* ours = find(id);
            if (ours == nullptr) {
                if (!elsewhere_at_end(topic, id, end)) {
                    return false;
                }
                continue;
            }
            const bool known = ours->phase != PartitionPhase::assigned &&
                               ours->phase != PartitionPhase::acquiring;
            if (!known) {
                return false;
            }
            if (ours->phase != PartitionPhase::stopped && !is_at_end(*ours)) {
                return false;
            }
        }
    }
    // What its last batch came to is told before it is no longer busy, and may not be read yet: a
    // partition that was fenced has not come to its end.
    return !destination_.busy() && !handle_events();
}

// Of a lane that is to end: has come to where the partition ended when the lane started.
bool Lane::Worker::is_at_end(const LanePartition& partition) const {
    const auto topic = std::ranges::find(topics_, partition.id.topic, &LaneTopic::name);
    const auto number = static_cast<std::size_t>(partition.id.partition.value());
    return partition.at_end ||
           (number < topic->ends.size() && partition.position >= topic->ends[number]);
}

bool Lane::Worker::elsewhere_at_end(const LaneTopic& topic, const TopicPartition& id, Offset end) {
    if (next_committed_check_.passed()) {
        next_committed_check_ = Deadline::in(committed_check_every);
        std::vector<TopicPartition> all;
        for (const auto& each : topics_) {
            const auto of_topic = each.all();
            all.insert(all.end(), of_topic.begin(), of_topic.end());
        }
        if (const auto committed = consumer_->committed(all, Deadline::in(1s))) {
            for (const auto& entry : *committed) {
                ended_elsewhere_.insert_or_assign(entry.partition, entry);
            }
        }
    }
    const auto known = ended_elsewhere_.find(id);
    if (known == ended_elsewhere_.end() || !known->second.next || *known->second.next < end) {
        return false;
    }
    // A commit that is not this pipeline's, or was ahead of the database at the start, is no
    // progress: somebody set the group's offsets, or the database has gone back.
    const auto metadata = commit::parse_metadata(known->second.metadata);
    const auto ahead = topic.ahead.find(id.partition.value());
    return metadata && metadata->database == destination_.id() && metadata->topic == topic.id &&
           (ahead == topic.ahead.end() || ahead->second != *known->second.next);
}

// Pause, drain, commit, leave, close: in this order, each within what is left of the deadline.
void Lane::Worker::finish() {
    Deadline drain = Deadline::in(own_end_wait);
    auto membership = kafka::Membership::given_up;
    {
        const std::lock_guard lock(lane_.mutex_);
        lane_.status_.phase = LanePhase::draining;
        if (lane_.stopping_) {
            drain = lane_.drain_;
            membership = lane_.options_.consumer.instance ? lane_.membership_
                                                          : kafka::Membership::given_up;
        }
    }
    if (consumer_) {
        destination_.release(own_partitions(), drain);
        handle_events();
        commit_progress(true);
        ending_ = true;
        consumer_->close(leave_wait, membership);
        consumer_.reset();
    }
    destination_.close(drain);
    publish();
    const std::lock_guard lock(lane_.mutex_);
    lane_.status_.phase = LanePhase::ended;
    lane_.status_.failed = fatal_;
}

// False when the lane is to stop.
bool Lane::Worker::pause(std::chrono::milliseconds wait) const {
    const auto until = Deadline::in(wait);
    while (!lane_.stopping_ && !until.passed()) {
        std::this_thread::sleep_for(std::min(until.left(), std::chrono::milliseconds{20ms}));
    }
    return !lane_.stopping_;
}

}  // namespace sluice
