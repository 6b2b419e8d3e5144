// A model of Kafka as one consumer group of one topic meets it: the log, the group's coordinator
// (classic protocol, cooperative), and its commits.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/uuid.hpp"
#include "kafka/consumer.hpp"
#include "simulator/log.hpp"
#include "simulator/world.hpp"

namespace sluice::sim {

// What the coordinator checks of a commit.
enum class Fencing : std::uint8_t {
    generation,  // As Kafka: what was sent before a partition has moved is refused.
    membership,  // Whoever is still a member may commit for any partition.
    none,        // Also who is no member any more, or dead.
};

struct GroupEvent {
    enum class Kind : std::uint8_t { assigned, revoked, lost } kind = Kind::assigned;
    std::set<std::int32_t> partitions;
    int generation = 0;  // assigned: the group's, then.
    Time due;
};

// A consumer as the coordinator knows it, and what is on its way to it.
struct Member {
    int number = 0;
    Process* process = nullptr;
    bool in_group = false;
    std::deque<GroupEvent> events;
    std::set<std::int32_t> held;  // As the process believes.
    int generation = 0;           // In which it was assigned something last.
    Time last_arrival{};          // Of a commit: one connection keeps their order.
};
using MemberPtr = std::shared_ptr<Member>;

class Broker {
public:
    explicit Broker(World& shared) : world_(shared) { topic_id_.bytes.fill(0x11); }

    Log log;
    Fencing fencing = Fencing::membership;
    bool compacted = false;
    std::map<std::int32_t, kafka::Committed> commits;
    double moves = 0.1;  // How often a partition moves that need not.
    // After which wait an expelled member hears of it; nothing: chance says.
    std::optional<Wait> lost_after;
    // Told of each commit that was taken.
    std::function<void(const kafka::Commit&)> committed;

    [[nodiscard]] const Uuid& topic_id() const { return topic_id_; }
    [[nodiscard]] std::int32_t partitions() const {
        return static_cast<std::int32_t>(log.partitions.size());
    }
    void grow();

    MemberPtr make_member(Process& process);
    void join(const MemberPtr& member);
    void leave(const MemberPtr& member);
    // Its session ends though it may run: heartbeats were lost, or it is frozen or dead.
    void expel(const MemberPtr& member);
    void expel_process(const Process& process);
    // The member has done what the event asked of it.
    void answered(const MemberPtr& member, const GroupEvent& event);
    // What the group has given to a process, as the coordinator sees it.
    [[nodiscard]] std::set<std::int32_t> owned_by(const Process& process) const;
    // Sessions that nobody keeps up are watched from here on.
    void watch_sessions();

    // Of one request, which was sent as the member `number` in `generation`. An error code, or
    // nothing.
    std::optional<std::string> commit(const Member& member, int number, int generation,
                                      std::span<const kafka::Commit> commits);
    std::optional<std::string> commit_first(std::span<const kafka::Commit> commits);

private:
    void balance_soon();
    void balance();
    [[nodiscard]] std::vector<MemberPtr> members() const;
    void store(std::span<const kafka::Commit> commits);

    World& world_;
    Uuid topic_id_;
    int last_member_ = 0;
    std::vector<MemberPtr> all_;
    std::map<std::int32_t, MemberPtr> owners_;
    std::map<std::int32_t, int> given_;  // In which generation.
    int generation_ = 0;
    std::set<std::int32_t> moving_;          // Their owner was asked for them.
    std::map<const Process*, Time> silent_;  // Since when no heartbeat comes.
    bool balances_ = false;
};

}  // namespace sluice::sim
