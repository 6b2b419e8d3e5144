// Numbers that a seed decides: splitmix64, the same on every machine.
#pragma once

#include <cstdint>

namespace sluice::sim {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9e37'79b9'7f4a'7c15u + 1) {}

    std::uint64_t next() {
        state_ += 0x9e37'79b9'7f4a'7c15u;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9u;
        z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebu;
        return z ^ (z >> 31);
    }
    // Below `end`, which is at least 1.
    std::int64_t below(std::int64_t end) {
        return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(end));
    }
    // Both ends included.
    std::int64_t between(std::int64_t first, std::int64_t last) {
        return first + below(last - first + 1);
    }
    bool chance(double probability) {
        return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
    }

private:
    std::uint64_t state_;
};

}  // namespace sluice::sim
