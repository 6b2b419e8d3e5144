#include "kafka/consumer.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "kafka/admin.hpp"
#include "kafka/admin_impl.hpp"
#include "kafka/assignment.hpp"
#include "kafka/commits.hpp"
#include "kafka/connection.hpp"
#include "kafka/consumer_conf.hpp"
#include "kafka/poll.hpp"
#include "kafka/translate.hpp"

namespace sluice::kafka {
namespace {

// Of a member that only comes to leave.
class Nobody final : public AssignmentListener {
public:
    void assigned(std::span<const TopicPartition>) override {}
    void revoked(std::span<const TopicPartition>) override {}
    void lost(std::span<const TopicPartition>) override {}
};

}  // namespace

// The order of the members is that of their making; the client must go last, and does, as the
// pool holds it.
struct Consumer::Impl {
    std::shared_ptr<PollPool> pool;
    rd_kafka_t* client;
    Logger log;
    std::string group;
    std::optional<std::string> instance;
    bool headers;
    QueueHandle logs;
    QueueHandle events;
    QueueHandle records;
    Commits commits;
    Assignment assignment;
    Admin admin;
    Troubles troubles;
    AssignmentListener* listener = nullptr;
    bool serving = false;

    Impl(Connection connection, const ConsumerOptions& options, Logger logger)
        : pool(std::make_shared<PollPool>(std::move(connection.client))),
          client(pool->client()),
          log(std::move(logger)),
          group(options.group),
          instance(options.instance),
          headers(options.headers),
          logs(std::move(connection.logs)),
          events(rd_kafka_queue_get_consumer(client)),
          records(rd_kafka_queue_new(client)),
          commits(client),
          assignment(client, events.get(), records.get(), log),
          admin(std::make_unique<Admin::Impl>(client, log)) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl();

    Result<void> serve_events(int wait_ms);
    [[nodiscard]] std::optional<Error> sort_trouble(rd_kafka_event_t* event);
    Result<void> check_owned(std::span<const Commit> wanted) const;
    [[nodiscard]] bool leave(std::chrono::milliseconds wait);
    [[nodiscard]] bool is_member() const;
};

Result<Consumer> Consumer::open(const ConsumerOptions& options, Logger log) {
    SLUICE_ASSIGN(auto conf, consumer_conf(options));
    SLUICE_ASSIGN(auto connection, open_connection(RD_KAFKA_CONSUMER, std::move(conf)));
    // Errors and rebalances arrive on one queue.
    rd_kafka_poll_set_consumer(connection.client.get());
    return Consumer(std::make_unique<Impl>(std::move(connection), options, std::move(log)));
}

Consumer::Consumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;
Consumer::~Consumer() = default;

Result<void> Consumer::subscribe(std::span<const std::string> topics,
                                 AssignmentListener& listener) {
    impl_->listener = &listener;
    const PartitionListHandle list{
        rd_kafka_topic_partition_list_new(static_cast<int>(topics.size()))};
    for (const auto& topic : topics) {
        rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
    }
    const auto code = rd_kafka_subscribe(impl_->client, list.get());
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return fail(make_error(code, "kafka.subscribe"));
    }
    return {};
}

bool Consumer::is_member() const { return impl_->is_member(); }

Result<void> Consumer::join_anew(std::span<const std::string> topics, Deadline deadline) {
    const bool left = impl_->leave(deadline.left());
    SLUICE_TRY(subscribe(topics, *impl_->listener));
    if (!left) {
        return fail(make_error(RD_KAFKA_RESP_ERR__TIMED_OUT, "kafka.leave", impl_->group));
    }
    return {};
}

Result<void> Consumer::leave_in_place_of(const ConsumerOptions& options,
                                         std::span<const std::string> topics, Deadline deadline,
                                         Logger log) {
    Nobody nobody;
    SLUICE_ASSIGN(auto consumer, open(options, std::move(log)));
    SLUICE_TRY(consumer.subscribe(topics, nobody));
    auto& impl = *consumer.impl_;
    while (!impl.is_member()) {
        SLUICE_TRY(impl.serve_events(std::min(deadline.left_ms(), 20)));
        if (deadline.passed()) {
            return fail(make_error(RD_KAFKA_RESP_ERR__TIMED_OUT, "kafka.leave", options.group));
        }
    }
    consumer.close(deadline.left(), Membership::given_up);
    return {};
}

Result<void> Consumer::serve() {
    check(!impl_->serving, "Consumer::serve() is called from its own listener");
    drain_logs(impl_->logs.get(), *impl_->log);
    SLUICE_TRY(impl_->serve_events(0));
    impl_->assignment.forward_queues();
    return {};
}

Result<void> Consumer::Impl::serve_events(int wait_ms) {
    std::optional<Error> worst;
    const auto note = [&worst](std::optional<Error> error) {
        if (error && (!worst || outranks(*error, *worst))) {
            worst = std::move(error);
        }
    };
    serving = true;
    assignment.begin_serving();
    while (const EventHandle event{rd_kafka_queue_poll(events.get(), wait_ms)}) {
        wait_ms = 0;
        switch (rd_kafka_event_type(event.get())) {
            case RD_KAFKA_EVENT_REBALANCE:
                troubles.reached();
                assignment.rebalance(event.get(), *listener);
                break;
            case RD_KAFKA_EVENT_ERROR:
                note(sort_trouble(event.get()));
                break;
            case RD_KAFKA_EVENT_FETCH:
                // Each partition's queue is forwarded to ours before it is fetched.
                check(false, "a record came around the record queue");
                break;
            default:
                break;
        }
    }
    assignment.end_serving();
    serving = false;
    if (auto settled = assignment.settle(); !settled) {
        note(settled.error());
    }
    if (worst) {
        return fail(*std::move(worst));
    }
    return {};
}

std::optional<Error> Consumer::Impl::sort_trouble(rd_kafka_event_t* event) {
    auto error = troubles.sort(client, event, *log);
    if (error && instance && error->code == code_fenced_instance) {
        error->where = "instance '" + *instance + "'";
        error->detail = "another process has joined the group '" + group + "' under this name";
    }
    return error;
}

Poll Consumer::poll(std::chrono::milliseconds wait, const PollMax& most) {
    impl_->assignment.forward_queues();
    Poll poll;
    poll.impl_ = impl_->pool->take();
    poll.impl_->home = impl_->pool;
    read_queue(impl_->records.get(), wait, most, impl_->headers, impl_->assignment, *poll.impl_);
    return poll;
}

Result<void> Consumer::start(const TopicPartition& partition, Offset next) {
    return impl_->assignment.start(partition, next);
}

Result<void> Consumer::stop(const TopicPartition& partition) {
    return impl_->assignment.stop(partition);
}

Result<std::vector<Committed>> Consumer::committed(std::span<const TopicPartition> partitions,
                                                   Deadline deadline) {
    constexpr const char* op = "kafka.committed";
    std::vector<Committed> out;
    if (partitions.empty()) {
        return out;
    }
    const auto list = to_list(partitions);
    const auto code = rd_kafka_committed(impl_->client, list.get(), deadline.left_ms());
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return fail(impl_->troubles.explain(make_error(code, op)));
    }
    impl_->troubles.reached();
    out.reserve(partitions.size());
    for (const auto& partition : partitions) {
        const auto* const element = rd_kafka_topic_partition_list_find(
            list.get(), partition.topic.c_str(), partition.partition.value());
        if (element->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return fail(make_error(element->err, op, partition.to_string()));
        }
        Committed& committed = out.emplace_back();
        committed.partition = partition;
        if (element->offset >= 0) {
            committed.next = Offset(element->offset);
            committed.metadata.assign(static_cast<const char*>(element->metadata),
                                      element->metadata_size);
        }
    }
    return out;
}

// Brokers check a member's membership, not what it owns: they would take such a commit.
Result<void> Consumer::Impl::check_owned(std::span<const Commit> wanted) const {
    for (const auto& commit : wanted) {
        if (!assignment.owns(commit.partition)) {
            return fail({.action = Action::stop,
                         .op = "kafka.commit",
                         .where = commit.partition.at(commit.next),
                         .code = {},
                         .detail = "the partition is not assigned to this process",
                         .hint = {}});
        }
    }
    return {};
}

Result<void> Consumer::commit(std::span<const Commit> commits, Deadline deadline) {
    SLUICE_TRY(impl_->check_owned(commits));
    return commits.empty() ? Result<void>{} : impl_->commits.wait(commits, deadline);
}

Result<void> Consumer::commit_first(std::span<const Commit> commits, Deadline deadline) {
    auto& impl = *impl_;
    check(impl.listener == nullptr, "Consumer::commit_first() after subscribe()");
    if (commits.empty()) {
        return {};
    }
    auto has_members = make_error(RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, "kafka.commit");
    has_members.action = Action::retry;
    has_members.detail = "the group '" + impl.group + "' has members already";
    if (impl.instance) {
        // Where the group still has a member of our name, the commit would be the client's end.
        SLUICE_ASSIGN(const auto found, impl.admin.describe_group(impl.group, deadline));
        if (!found.members.empty()) {
            return fail(std::move(has_members));
        }
    }
    auto stored = impl.commits.wait(commits, deadline);
    if (!stored) {
        auto error = impl.troubles.explain(stored.error());
        const bool refused = error.code == has_members.code || error.code == code_fenced_instance;
        return fail(refused ? std::move(has_members) : std::move(error));
    }
    return {};
}

Result<void> Consumer::commit_async(std::span<const Commit> commits) {
    SLUICE_TRY(impl_->check_owned(commits));
    return commits.empty() ? Result<void>{} : impl_->commits.send(commits);
}

bool Consumer::commit_pending() const { return impl_->commits.pending(); }

std::optional<Result<void>> Consumer::take_commit_result() { return impl_->commits.take_result(); }

std::size_t Consumer::queued() const { return rd_kafka_queue_length(impl_->records.get()); }

std::optional<Offset> Consumer::high_watermark(const TopicPartition& partition) const {
    std::int64_t low = -1;
    std::int64_t high = -1;
    const auto code = rd_kafka_get_watermark_offsets(impl_->client, partition.topic.c_str(),
                                                     partition.partition.value(), &low, &high);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0) {
        return std::nullopt;
    }
    return Offset(high);
}

// Not rd_kafka_consumer_close_queue(), for two reasons seen on a real broker (2.12.1): a client
// that is closed within a rebalance may end while the rebalance's answer is under way, and that
// call never returns; and its leaving can't be cut short, a frozen broker holds it for 5 s.
void Consumer::close(std::chrono::milliseconds leave_wait, Membership membership) {
    auto& impl = *impl_;
    if (impl.listener != nullptr) {
        (void)impl.serve_events(0);
        impl.assignment.release(*impl.listener);
        // After a fatal error the client is no member any more, or can't say that it leaves.
        const bool fatal = rd_kafka_fatal_error(impl.client, nullptr, 0) !=
                           RD_KAFKA_RESP_ERR_NO_ERROR;
        if (membership == Membership::given_up && !fatal && !impl.leave(leave_wait)) {
            impl.log->warn("no broker confirmed in time that this member leaves its group; the "
                           "others wait for the end of its session");
        }
    }
    impl_.reset();
}

// An assignment that nobody answers holds the client's end for ever: its thread waits for the
// answer, turning at full speed (seen on a real broker; rd_kafka_cgrp_try_terminate in 2.12.1).
// One may have come since the last event was served, so the last call is an answer; and after a
// fatal error none comes any more, so that no other can slip in behind it.
Consumer::Impl::~Impl() {
    drain_logs(logs.get(), *log);
    (void)rd_kafka_test_fatal_error(client, RD_KAFKA_RESP_ERR__STATE, "the consumer is closed");
    const PartitionListHandle nothing{rd_kafka_topic_partition_list_new(0)};
    const ErrorHandle ignored{rd_kafka_incremental_assign(client, nothing.get())};
}

bool Consumer::Impl::leave(std::chrono::milliseconds wait) {
    const auto deadline = Deadline::in(wait);
    if (rd_kafka_unsubscribe(client) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    // The member id goes when the request to leave is on its way: after the rebalance that may be
    // under way, whose events are served here.
    while (is_member()) {
        if (deadline.passed()) {
            return false;
        }
        (void)serve_events(std::min(deadline.left_ms(), 20));
    }
    // Its answer can't be seen, but that of a question to the same broker, which comes after it.
    const auto nothing = to_list({});
    rd_kafka_topic_partition_list_add(nothing.get(), "sluice", 0);
    return rd_kafka_committed(client, nothing.get(), deadline.left_ms()) !=
           RD_KAFKA_RESP_ERR__TIMED_OUT;
}

bool Consumer::Impl::is_member() const {
    char* const id = rd_kafka_memberid(client);
    const bool member = id != nullptr && *id != '\0';
    rd_kafka_mem_free(client, id);
    return member;
}

Admin& Consumer::admin() { return impl_->admin; }

}  // namespace sluice::kafka
