// Questions about topics, offsets and groups, and topic creation. Calls block, at most to the
// deadline. Thread: as its owner's; calls never overlap.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "kafka/client.hpp"

namespace sluice::kafka {

struct TopicInfo {
    std::string name;
    Uuid id;
    std::int32_t partitions = 0;
    std::vector<PartitionId> leaderless{};  // Nobody answers for their offsets at the moment.
    std::optional<Error> error;             // Missing, not authorised: Action::configure.
};

struct GroupMember {
    std::optional<std::string> instance;
    std::vector<TopicPartition> assigned;
};
struct GroupInfo {
    bool stable = false;  // Else its members are joining or none is there: see again.
    std::vector<GroupMember> members;
};

struct Earliest {};
struct Latest {};
struct AtTime {
    std::int64_t ms;  // Since 1970: the first record at or after it, or the end.
};
using OffsetSpec = std::variant<Earliest, Latest, AtTime>;

class Admin {
public:
    static Result<Admin> open(const ClientOptions& options, Logger log);
    Admin(Admin&&) noexcept;
    Admin& operator=(Admin&&) noexcept;
    ~Admin();

    // The names of all topics that we may describe, in no order.
    Result<std::vector<std::string>> topics(Deadline deadline);
    // One entry a name, in order; fails as a whole only when no broker answers.
    Result<std::vector<TopicInfo>> describe(std::span<const std::string> topics, Deadline deadline);
    Result<std::vector<Offset>> offsets(std::span<const TopicPartition> partitions,
                                        const OffsetSpec& spec, Deadline deadline);
    // Whether their cleanup.policy says compact, one entry a name, in order; nothing where the
    // topic's configuration may not be read.
    Result<std::vector<std::optional<bool>>> compacted(std::span<const std::string> topics,
                                                       Deadline deadline);
    // An existing topic is no error: returns false.
    Result<bool> create_topic(const std::string& topic, std::int32_t partitions, Deadline deadline);
    // A group that never was has no members.
    Result<GroupInfo> describe_group(const std::string& group, Deadline deadline);
    // Removes a group's commits for these partitions; the group must have no members.
    Result<void> delete_commits(const std::string& group,
                                std::span<const TopicPartition> partitions, Deadline deadline);

    struct Impl;
    explicit Admin(std::unique_ptr<Impl> impl);

private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::kafka
