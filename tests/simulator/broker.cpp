#include "simulator/broker.hpp"

#include <algorithm>

namespace sluice::sim {
namespace {

using namespace std::chrono_literals;

constexpr auto session = 8s;

}  // namespace

void Broker::grow() {
    log.partitions.emplace_back();
    world_.tell("the topic grows to {} partitions", partitions());
    // The group's leader sees it when it reads the topic's metadata again.
    world_.scheduler.in(ms(world_.random.below(4'000)), [this] { balance_soon(); });
}

MemberPtr Broker::make_member(Process& process) {
    auto member = std::make_shared<Member>();
    member->process = &process;
    return member;
}

void Broker::join(const MemberPtr& member) {
    member->number = ++last_member_;
    member->in_group = true;
    if (std::ranges::find(all_, member) == all_.end()) {
        all_.push_back(member);
    }
    world_.tell("process {} joins the group as member {}", member->process->number, member->number);
    balance_soon();
}

void Broker::leave(const MemberPtr& member) {
    if (!member->in_group) {
        return;
    }
    member->in_group = false;
    member->events.clear();
    std::erase_if(owners_, [&](const auto& entry) { return entry.second == member; });
    std::erase_if(moving_, [&](std::int32_t p) { return !owners_.contains(p); });
    balance_soon();
}

void Broker::expel(const MemberPtr& member) {
    if (!member->in_group) {
        return;
    }
    world_.tell("member {} of process {} is expelled", member->number, member->process->number);
    leave(member);
    // It hears of it when it next speaks to the coordinator.
    const Time speaks = std::max(world_.scheduler.now(), member->process->frozen_until);
    member->events.push_back({.kind = GroupEvent::Kind::lost,
                              .partitions = {},
                              .generation = 0,
                              .due = speaks + lost_after.value_or(ms(world_.random.below(4'000)))});
}

void Broker::expel_process(const Process& process) {
    for (const auto& member : members()) {
        if (member->process == &process) {
            expel(member);
        }
    }
}

void Broker::watch_sessions() {
    const Time now = world_.scheduler.now();
    for (const auto& member : members()) {
        const Process& process = *member->process;
        if (process.alive && process.frozen_until <= now) {
            silent_.erase(&process);
        } else if (now - silent_.try_emplace(&process, now).first->second >= session) {
            expel(member);
        }
    }
    world_.scheduler.in(500ms, [this] { watch_sessions(); });
}

std::vector<MemberPtr> Broker::members() const {
    std::vector<MemberPtr> members;
    std::ranges::copy_if(all_, std::back_inserter(members), &Member::in_group);
    return members;
}

void Broker::answered(const MemberPtr& member, const GroupEvent& event) {
    switch (event.kind) {
        case GroupEvent::Kind::assigned:
            member->held.insert(event.partitions.begin(), event.partitions.end());
            member->generation = event.generation;
            break;
        case GroupEvent::Kind::revoked:
            for (const auto p : event.partitions) {
                member->held.erase(p);
                if (const auto owner = owners_.find(p);
                    owner != owners_.end() && owner->second == member) {
                    owners_.erase(owner);
                    moving_.erase(p);
                }
            }
            balance_soon();
            break;
        case GroupEvent::Kind::lost:
            member->held.clear();
            join(member);
            break;
    }
}

std::set<std::int32_t> Broker::owned_by(const Process& process) const {
    std::set<std::int32_t> owned;
    for (const auto& [p, member] : owners_) {
        if (member->process == &process) {
            owned.insert(p);
        }
    }
    return owned;
}

void Broker::balance_soon() {
    if (!std::exchange(balances_, true)) {
        world_.scheduler.in(ms(world_.random.between(1, 300)), [this] { balance(); });
    }
}

// Sticky: a partition stays where it is while its owner has no more than its share.
void Broker::balance() {
    balances_ = false;
    ++generation_;
    const auto ready = members();
    if (ready.empty()) {
        return;
    }
    const auto size = static_cast<std::int32_t>(ready.size());
    const std::int32_t share = (partitions() + size - 1) / size;
    std::map<MemberPtr, std::int32_t> loads;
    std::map<std::int32_t, MemberPtr> wanted;
    for (std::int32_t p = 0; p < partitions(); ++p) {
        const auto owner = owners_.find(p);
        // Now and then one moves that need not.
        if (owner != owners_.end() && loads[owner->second] < share &&
            !world_.random.chance(moves)) {
            wanted[p] = owner->second;
            ++loads[owner->second];
        }
    }
    const auto first = static_cast<std::size_t>(world_.random.below(size));
    for (std::int32_t p = 0; p < partitions(); ++p) {
        if (wanted.contains(p)) {
            continue;
        }
        MemberPtr least = ready[first];
        for (const auto& member : ready) {
            least = loads[member] < loads[least] ? member : least;
        }
        wanted[p] = least;
        ++loads[least];
    }
    std::map<MemberPtr, GroupEvent> events;
    for (const auto& [p, member] : wanted) {
        const auto owner = owners_.find(p);
        if (owner == owners_.end()) {
            owners_[p] = member;
            given_[p] = generation_;
            events.try_emplace(member).first->second.partitions.insert(p);
        } else if (owner->second != member && moving_.insert(p).second) {
            owner->second->events.push_back(
                {.kind = GroupEvent::Kind::revoked,
                 .partitions = {p},
                 .generation = 0,
                 .due = world_.scheduler.now() + ms(world_.random.below(300))});
        }
    }
    for (const auto& member : ready) {
        if (const auto event = events.find(member); event != events.end()) {
            event->second.generation = generation_;
            event->second.due = world_.scheduler.now() + ms(world_.random.below(300));
            member->events.push_back(event->second);
        }
    }
}

void Broker::store(std::span<const kafka::Commit> stored) {
    for (const auto& commit : stored) {
        world_.tell("kafka has commit {} {}", commit.partition.at(commit.next), commit.metadata);
        commits[commit.partition.partition.value()] = {commit.partition, commit.next,
                                                       commit.metadata};
        committed(commit);
    }
}

std::optional<std::string> Broker::commit(const Member& member, int number, int generation,
                                          std::span<const kafka::Commit> wanted) {
    const bool member_still = member.in_group && member.number == number;
    if (fencing != Fencing::none && !member_still) {
        return "UNKNOWN_MEMBER_ID";
    }
    const auto owned = [&](const kafka::Commit& commit) {
        const auto p = commit.partition.partition.value();
        const auto owner = owners_.find(p);
        return owner != owners_.end() && owner->second.get() == &member &&
               given_.at(p) <= generation;
    };
    if (fencing == Fencing::generation && !std::ranges::all_of(wanted, owned)) {
        return "ILLEGAL_GENERATION";
    }
    store(wanted);
    return std::nullopt;
}

std::optional<std::string> Broker::commit_first(std::span<const kafka::Commit> wanted) {
    if (!members().empty()) {
        return "UNKNOWN_MEMBER_ID";
    }
    store(wanted);
    return std::nullopt;
}

}  // namespace sluice::sim
