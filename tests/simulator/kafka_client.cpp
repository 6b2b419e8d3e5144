// The shipping lane's consumer, on the model broker: what kafka/consumer.hpp and admin.hpp
// promise, without librdkafka.
#include <algorithm>

#include "base/check.hpp"
#include "kafka/admin.hpp"
#include "simulator/history.hpp"

namespace sluice::kafka {

using sim::Fate;
using sim::ms;
using sim::Time;
using sim::world;

namespace {

sim::Broker& broker() { return sim::history->broker; }

Error no_answer(const char* op) {
    return {.action = Action::retry,
            .op = op,
            .where = {},
            .code = "_TIMED_OUT",
            .detail = "no broker answered",
            .hint = {}};
}

Error refused(const char* op, std::string code) {
    return {.action = code == "UNKNOWN_MEMBER_ID" ? Action::stop : Action::retry,
            .op = op,
            .where = {},
            .code = std::move(code),
            .detail = "the broker refused it",
            .hint = {}};
}

struct Slot {
    bool wanted = false;
    std::int64_t next = 0;
    bool told_end = false;
};

using CommitAnswer = std::optional<std::string>;  // Its error code.

}  // namespace

struct Poll::Impl {
    std::vector<Record> records;
    std::vector<PartitionEnd> ends;
    std::vector<PartitionFault> faults;
};

Poll::Poll() : impl_(std::make_unique<Impl>()) {}
Poll::Poll(Poll&&) noexcept = default;
Poll& Poll::operator=(Poll&&) noexcept = default;
Poll::~Poll() = default;
std::span<const Record> Poll::records() const { return impl_->records; }
std::span<const PartitionEnd> Poll::ends() const { return impl_->ends; }
std::span<const PartitionFault> Poll::faults() const { return impl_->faults; }

struct Admin::Impl {};
Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::~Admin() = default;

struct Consumer::Impl {
    explicit Impl(sim::MemberPtr joined) : member(std::move(joined)) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    sim::MemberPtr member;
    AssignmentListener* listener = nullptr;
    Admin admin{nullptr};
    std::map<std::int32_t, Slot> slots;
    std::map<std::int32_t, TopicPartition> names;  // Records point to them.
    struct Pending {
        std::optional<CommitAnswer> answer;
        bool failed = false;
    };
    std::shared_ptr<Pending> pending;

    const TopicPartition& name(std::int32_t p) {
        return names.try_emplace(p, TopicPartition{sim::topic_name, PartitionId{p}}).first->second;
    }
    [[nodiscard]] Result<void> check_owned(std::span<const Commit> commits) const {
        for (const auto& commit : commits) {
            if (!member->held.contains(commit.partition.partition.value())) {
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
    // One connection: a commit never overtakes the one before it, and a late one holds up all.
    sim::Wait arrival(bool late) {
        const Time now = world->scheduler.now();
        Time at = now + world->way() + (late ? ms(world->random.between(3'000, 12'000)) : ms(0));
        at = std::max(at, member->last_arrival);
        member->last_arrival = at;
        return at - now;
    }
    // `heard` gets the answer, if one comes.
    void send(Fate fate, std::span<const Commit> commits, std::function<void(CommitAnswer)> heard) {
        if (fate == Fate::request_lost) {
            return;
        }
        if (fate == Fate::refused) {
            world->scheduler.in(world->way(), [heard] { heard("NOT_COORDINATOR"); });
            return;
        }
        std::vector<Commit> sent(commits.begin(), commits.end());
        world->scheduler.in(arrival(fate == Fate::late), [sender = member, number = member->number,
                                                          generation = member->generation, fate,
                                                          heard, sent = std::move(sent)] {
            const auto answer = broker().commit(*sender, number, generation, sent);
            if (fate == Fate::done) {
                world->scheduler.in(world->way(), [heard, answer] { heard(answer); });
            }
        });
    }
    void handle(const sim::GroupEvent& event) {
        std::vector<TopicPartition> partitions;
        for (const auto p :
             event.kind == sim::GroupEvent::Kind::lost ? member->held : event.partitions) {
            partitions.push_back(name(p));
        }
        world->tell("process {} learns: {} {}", member->process->number,
                    event.kind == sim::GroupEvent::Kind::assigned  ? "assigned"
                    : event.kind == sim::GroupEvent::Kind::revoked ? "revoked"
                                                                   : "lost",
                    fmt::join(event.partitions, ","));
        switch (event.kind) {
            case sim::GroupEvent::Kind::assigned:
                broker().answered(member, event);
                listener->assigned(partitions);
                return;
            case sim::GroupEvent::Kind::revoked:
                listener->revoked(partitions);
                break;
            case sim::GroupEvent::Kind::lost:
                listener->lost(partitions);
                break;
        }
        for (const auto& partition : partitions) {
            slots.erase(partition.partition.value());
        }
        // What it was expelled from meanwhile needs no answer.
        if (event.kind == sim::GroupEvent::Kind::lost || member->in_group) {
            broker().answered(member, event);
        }
    }
    void fetch(Poll::Impl& poll, std::int64_t records_max) {
        for (auto& [p, slot] : slots) {
            const auto& partition = broker().log.partitions[static_cast<std::size_t>(p)];
            std::size_t at = partition.find(slot.next);
            for (; slot.wanted && records_max > 0 && at < partition.records.size(); ++at) {
                const auto& record = partition.records[at];
                if (record.gone) {
                    slot.next = record.offset + 1;
                    continue;
                }
                poll.records.push_back({.partition = &name(p),
                                        .offset = Offset{record.offset},
                                        .timestamp_ms = record.timestamp_ms,
                                        .key = record.key,
                                        .value = record.value,
                                        .headers = {}});
                slot.next = record.offset + 1;
                slot.told_end = false;
                --records_max;
            }
            if (slot.wanted && at == partition.records.size() &&
                (!slot.told_end || slot.next < partition.end)) {
                slot.next = partition.end;
                slot.told_end = true;
                poll.ends.push_back({.partition = name(p), .end = Offset{partition.end}});
            }
        }
    }
};

Consumer::Consumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;
Consumer::~Consumer() = default;

Result<Consumer> Consumer::open(const ConsumerOptions&, Logger) {
    return Consumer(std::make_unique<Impl>(broker().make_member(world->process())));
}

Result<void> Consumer::subscribe(std::span<const std::string>, AssignmentListener& listener) {
    impl_->listener = &listener;
    broker().join(impl_->member);
    return {};
}

Result<void> Consumer::leave_in_place_of(const ConsumerOptions&, std::span<const std::string>,
                                         Deadline, Logger) {
    check(false, "the simulated processes have no instance names");
    return {};
}

Result<void> Consumer::serve() {
    (void)world->begin("kafka.serve");
    auto& events = impl_->member->events;
    while (!events.empty() && events.front().due <= world->scheduler.now()) {
        const sim::GroupEvent event = std::move(events.front());
        events.pop_front();
        impl_->handle(event);
        world->pass("kafka.served");
    }
    return {};
}

bool Consumer::is_member() const { return true; }

Result<void> Consumer::join_anew(std::span<const std::string>, Deadline) {
    check(false, "the simulated processes have no instance names");
    return {};
}

std::size_t Consumer::queued() const { return 0; }

Poll Consumer::poll(std::chrono::milliseconds, const PollMax&) {
    (void)world->begin("kafka.poll");
    Poll poll;
    const auto records_max = world->random.between(1, 12);
    impl_->fetch(*poll.impl_, records_max);
    if (poll.impl_->records.empty() && poll.impl_->ends.empty()) {
        // Longer than a lane waits, as if others had the processor: nothing of it depends on more.
        world->scheduler.sleep(ms(world->random.between(10, 300)));
        impl_->fetch(*poll.impl_, records_max);
    }
    return poll;
}

Result<void> Consumer::start(const TopicPartition& partition, Offset next) {
    const auto p = partition.partition.value();
    if (next.value() > broker().log.partitions[static_cast<std::size_t>(p)].end) {
        world->fail("a lane starts behind the end of " + partition.at(next));
    }
    impl_->slots[p] = {.wanted = true, .next = next.value(), .told_end = false};
    return {};
}

Result<void> Consumer::stop(const TopicPartition& partition) {
    impl_->slots[partition.partition.value()].wanted = false;
    return {};
}

Result<std::vector<Committed>> Consumer::committed(std::span<const TopicPartition> partitions,
                                                   Deadline deadline) {
    const std::vector<TopicPartition> asked(partitions.begin(), partitions.end());
    auto answer = world->ask<std::vector<Committed>>("kafka.committed", deadline, [asked] {
        std::vector<Committed> found;
        for (const auto& partition : asked) {
            const auto commit = broker().commits.find(partition.partition.value());
            found.push_back(commit == broker().commits.end() ? Committed{partition, {}, {}}
                                                             : commit->second);
        }
        return found;
    });
    if (!answer) {
        return fail(no_answer("kafka.committed"));
    }
    return std::move(*answer);
}

Result<void> Consumer::commit(std::span<const Commit> commits, Deadline deadline) {
    SLUICE_TRY(impl_->check_owned(commits));
    const Fate fate = world->begin("kafka.commit");
    const auto answer = std::make_shared<std::optional<CommitAnswer>>();
    impl_->send(fate, commits, [answer](CommitAnswer given) {
        *answer = std::move(given);
        world->scheduler.notify(answer.get());
    });
    (void)world->scheduler.wait(answer.get(), deadline.at());
    if (!*answer) {
        return fail(no_answer("kafka.commit"));
    }
    return **answer ? Result<void>(fail(refused("kafka.commit", ***answer))) : Result<void>{};
}

Result<void> Consumer::commit_first(std::span<const Commit> commits, Deadline deadline) {
    const std::vector<Commit> sent(commits.begin(), commits.end());
    const auto answer = world->ask<CommitAnswer>("kafka.commit_first", deadline,
                                                 [sent] { return broker().commit_first(sent); });
    if (!answer) {
        return fail(no_answer("kafka.commit_first"));
    }
    if (*answer) {
        Error error = refused("kafka.commit_first", **answer);
        error.action = Action::retry;
        return fail(std::move(error));
    }
    return {};
}

Result<void> Consumer::commit_async(std::span<const Commit> commits) {
    SLUICE_TRY(impl_->check_owned(commits));
    const Fate fate = world->begin("kafka.commit_async");
    const auto pending = std::make_shared<Impl::Pending>();
    impl_->pending = pending;
    impl_->send(fate, commits,
                [pending](CommitAnswer given) { pending->answer = std::move(given); });
    // librdkafka gives up at some time.
    world->scheduler.in(ms(5'000), [pending] { pending->failed = true; });
    return {};
}

bool Consumer::commit_pending() const { return impl_->pending != nullptr; }

std::optional<Result<void>> Consumer::take_commit_result() {
    const auto pending = impl_->pending;
    if (pending == nullptr || (!pending->answer && !pending->failed)) {
        return std::nullopt;
    }
    impl_->pending = nullptr;
    if (!pending->answer) {
        return fail(no_answer("kafka.commit"));
    }
    return *pending->answer ? Result<void>(fail(refused("kafka.commit", **pending->answer)))
                            : Result<void>{};
}

std::optional<Offset> Consumer::high_watermark(const TopicPartition& partition) const {
    const auto p = static_cast<std::size_t>(partition.partition.value());
    return Offset{broker().log.partitions[p].end};
}

void Consumer::close(std::chrono::milliseconds, Membership) {
    if (impl_->listener != nullptr) {
        (void)world->begin("kafka.leave");
        broker().leave(impl_->member);
    }
    impl_.reset();
}

Admin& Consumer::admin() { return impl_->admin; }

Result<std::vector<TopicInfo>> Admin::describe(std::span<const std::string> topics,
                                               Deadline deadline) {
    const std::vector<std::string> asked(topics.begin(), topics.end());
    auto answer = world->ask<std::vector<TopicInfo>>("kafka.describe", deadline, [asked] {
        std::vector<TopicInfo> infos;
        for (const auto& topic : asked) {
            infos.push_back({.name = topic,
                             .id = broker().topic_id(),
                             .partitions = broker().partitions(),
                             .leaderless = {},
                             .error = {}});
        }
        return infos;
    });
    if (!answer) {
        return fail(no_answer("kafka.describe"));
    }
    return std::move(*answer);
}

Result<std::vector<Offset>> Admin::offsets(std::span<const TopicPartition> partitions,
                                           const OffsetSpec& spec, Deadline deadline) {
    const std::vector<TopicPartition> asked(partitions.begin(), partitions.end());
    const bool latest = std::holds_alternative<Latest>(spec);
    auto answer = world->ask<std::vector<Offset>>("kafka.offsets", deadline, [asked, latest] {
        std::vector<Offset> offsets;
        for (const auto& partition : asked) {
            const auto p = static_cast<std::size_t>(partition.partition.value());
            offsets.push_back(Offset{latest ? broker().log.partitions[p].end : 0});
        }
        return offsets;
    });
    if (!answer) {
        return fail(no_answer("kafka.offsets"));
    }
    return std::move(*answer);
}

Result<std::vector<std::optional<bool>>> Admin::compacted(std::span<const std::string> topics,
                                                          Deadline deadline) {
    using Told = std::vector<std::optional<bool>>;
    auto answer = world->ask<Told>("kafka.describe_configs", deadline, [count = topics.size()] {
        return Told(count, broker().compacted);
    });
    if (!answer) {
        return fail(no_answer("kafka.describe_configs"));
    }
    return std::move(*answer);
}

Result<GroupInfo> Admin::describe_group(const std::string&, Deadline) { return GroupInfo{}; }

}  // namespace sluice::kafka
