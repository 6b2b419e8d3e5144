// How the process's memory budget is divided. What it governs and what not, and where the numbers
// come from: docs/decisions/0009-one-memory-budget.md.
#pragma once

#include <cstddef>

#include "model/ids.hpp"

namespace sluice {

// What one lane may hold, over all of its partitions.
struct LaneMemory {
    Bytes fetched;  // Records that wait in the client's queue.
    Bytes poll;     // Records that are taken out of it at once, and encoded.
    Bytes waiting;  // Encoded rows, waiting or being written.
};

// `memory` is the process's, at least 128 MiB.
LaneMemory divide_memory(Bytes memory, std::size_t lanes);

// A record with a larger key and value is refused.
Bytes record_bytes_max(Bytes memory);

}  // namespace sluice
