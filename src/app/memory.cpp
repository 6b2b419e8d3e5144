#include "app/memory.hpp"

#include <algorithm>

namespace sluice {
namespace {

// Code, libraries, threads, the clients' own state, and what glibc keeps of memory that was freed.
constexpr std::size_t own_bytes = 64u << 20;

// More in one poll makes nothing faster, and encoded rows are counted in 32 bits.
constexpr std::size_t poll_max = 64u << 20;

}  // namespace

LaneMemory divide_memory(Bytes memory, std::size_t lanes) {
    const std::size_t share = (memory.value() - own_bytes) / lanes;
    return {.fetched = Bytes{share / 6},
            .poll = Bytes{std::min(share / 24, poll_max)},
            .waiting = Bytes{share / 4}};
}

Bytes record_bytes_max(Bytes memory) { return Bytes{memory.value() / 16}; }

}  // namespace sluice
