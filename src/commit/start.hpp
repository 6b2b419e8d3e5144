// Where a lane whose progress is the group's commits starts a partition. Pure; the reasons are in
// clock.hpp and docs/decisions/0002-write-clock.md.
#pragma once

#include <optional>
#include <span>

#include "commit/durable.hpp"
#include "commit/metadata.hpp"
#include "model/ids.hpp"

namespace sluice::commit {

// What the group has for one partition.
struct GroupCommit {
    Offset next;
    std::optional<Metadata> metadata;  // Nothing: not written by us, or reset by somebody.
};

// What is known of a partition when it is assigned.
struct Known {
    std::optional<GroupCommit> group;
    std::optional<Pair> stored;  // The copy in the database.
};

struct Start {
    Pair pair;
    bool commit_first = false;  // Commit it, and wait for the answer, before the first write.
};

// A present pair is the truth; the database's copy counts only where there is none, and the two
// are never mixed. Nothing: the partition is new, see start_new().
std::optional<Start> start_known(const Known& known);

// A partition that appeared after the topic's first start.
struct Other {
    std::optional<GroupCommit> group;
    Offset seen_end;  // The partition's end when the new one was discovered.
};
// It begins at its beginning with the largest clock of the topic, once every other partition
// has committed up to the end that it had at the discovery. Nothing: not yet.
std::optional<Start> start_new(Offset beginning, std::span<const Other> others);

}  // namespace sluice::commit
