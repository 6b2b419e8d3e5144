// Cassandra's write protocol against a server with faults of every kind, whatever happens in
// whatever order: each record is durable exactly once, or its partition was dropped or rejected
// there.
#include "cassandra_flow_fixture.hpp"

#include <array>
#include <random>
#include <set>

namespace sluice::cassandra {
namespace {

using namespace std::chrono_literals;

TEST_F(CassandraFlow, UnderRandomFaultsEachRecordIsDurableOnce) {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 random(seed);
        flow_ = Flow(2, 2, backoff);
        events_.clear();
        constexpr std::int32_t partitions = 4;
        std::array<std::int64_t, partitions> next{};
        std::array<std::set<std::int64_t>, partitions> durable;
        std::array<std::int64_t, partitions> rejected{};
        rejected.fill(-1);
        std::vector<LoadPtr> sending;
        const std::int64_t bad = random() % 3 == 0 ? static_cast<std::int64_t>(random() % 200) : -1;
        const auto server = [&](std::int32_t partition, std::int64_t offset) -> const Error* {
            if (partition == 2 && offset == bad) {
                return &invalid;
            }
            return random() % 40 == 0 ? &timeout : random() % 400 == 0 ? &unauthorized : nullptr;
        };
        const auto collect = [&] {
            for (const auto& event : flow_.take_events()) {
                if (const auto* range = std::get_if<Durable>(&event)) {
                    const auto p = static_cast<std::size_t>(
                        range->range.partition.partition.value());
                    for (auto o = range->range.from.value(); o < range->range.to.value(); ++o) {
                        ASSERT_TRUE(durable[p].insert(o).second) << "twice";
                    }
                } else if (const auto* record = std::get_if<Rejected>(&event)) {
                    ASSERT_EQ(record->partition, partition_of(2));
                    ASSERT_EQ(record->offset.value(), bad);
                    rejected[2] = bad;
                }
            }
        };
        for (int round = 0; round < 6000; ++round) {
            now_ += std::chrono::milliseconds{random() % 50};
            const auto p = static_cast<std::int32_t>(random() % partitions);
            const auto index = static_cast<std::size_t>(p);
            if (round < 200 && random() % 2 == 0 && rejected[index] < 0) {
                const auto count = static_cast<std::int64_t>(random() % 6);
                flow_.add(
                    load(static_cast<std::uint32_t>(p % 2), {p}, next[index], next[index] + count));
                next[index] += count;
            }
            if (round < 1500 && random() % 200 == 0) {
                // Given away and taken again: from what is durable without a gap.
                flow_.drop(partition_of(p));
                next[index] = 0;
                while (durable[index].contains(next[index])) {
                    ++next[index];
                }
                durable[index].erase(durable[index].lower_bound(next[index]), durable[index].end());
            }
            while (const auto route = flow_.stale(now_)) {
                const bool wrong = round < 1500 && random() % 3 == 0;
                flow_.refreshed(*route, wrong ? std::optional(unauthorized) : std::nullopt, now_);
            }
            while (auto load = flow_.next(now_)) {
                sending.push_back(std::move(load));
            }
            if (!sending.empty() && random() % 2 == 0) {
                const auto at = random() % sending.size();
                const auto load = sending[at];
                sending.erase(sending.begin() + static_cast<std::ptrdiff_t>(at));
                flow_.done(load,
                           answer(load, round < 1500 ? Server(server)
                                                     : Server([&](std::int32_t of, auto o) {
                                                           return of == 2 && o == bad ? &invalid
                                                                                      : nullptr;
                                                       })),
                           now_);
            }
            collect();
            if (HasFatalFailure()) {
                return;
            }
        }
        for (std::size_t p = 0; p < partitions; ++p) {
            const auto end = rejected[p] >= 0 ? rejected[p] : next[p];
            std::int64_t prefix = 0;
            while (durable[p].contains(prefix)) {
                ++prefix;
            }
            ASSERT_EQ(prefix, end) << "partition " << p;
        }
        ASSERT_FALSE(flow_.busy());
        ASSERT_EQ(flow_.waiting().moving, 0U);
        ASSERT_FALSE(flow_.due()) << "no fault is left";
    }
}

}  // namespace
}  // namespace sluice::cassandra
