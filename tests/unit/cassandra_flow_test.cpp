// Cassandra's write protocol without a server: what is sent again, and what becomes durable.
#include "cassandra_flow_fixture.hpp"

namespace sluice::cassandra {
namespace {

using namespace std::chrono_literals;

TEST_F(CassandraFlow, WhatPassesIsDurableByPartition) {
    flow_.add(load(0, {0, 1}, 5, 8));
    EXPECT_TRUE(flow_.busy());
    run(good);
    const auto durable = taken<Durable>();
    ASSERT_EQ(durable.size(), 2U);
    EXPECT_EQ(durable[0].range, (OffsetRange{partition_of(0), Offset{5}, Offset{8}}));
    EXPECT_EQ(durable[0].rows, 3U);
    EXPECT_FALSE(flow_.busy());
    EXPECT_EQ(flow_.waiting().moving, 0U);
}

TEST_F(CassandraFlow, RecordsWithoutRowsAreDurableAtOnce) {
    auto empty = load(0, {0}, 5, 5);
    empty->chunk.pieces()[0].to = Offset{9};
    flow_.add(empty);
    EXPECT_FALSE(step(good));
    ASSERT_EQ(taken<Durable>().size(), 1U);
    EXPECT_FALSE(flow_.busy());
}

TEST_F(CassandraFlow, OnlyWhatFailedIsSentAgain) {
    flow_.add(load(0, {0, 1}, 0, 600));  // Three batches and more.
    now_ += 1s;
    auto once = flow_.next(now_);
    WriteOutcome outcome{.errors = {timeout}, .failures = {{0, 0}, {7, 0}}};
    flow_.done(once, outcome, now_);
    now_ += 1s;
    auto again = flow_.next(now_);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->chunk.wire().size(), 2U);
    flow_.done(again, {}, now_);
    EXPECT_FALSE(flow_.busy());
}

TEST_F(CassandraFlow, WhatIsDroppedIsForgottenAlsoUnderWay) {
    flow_.add(load(0, {0}, 0, 10));
    const auto sending = flow_.next(now_);
    flow_.drop(partition_of(0));
    EXPECT_FALSE(flow_.busy());
    flow_.done(sending, {}, now_);
    EXPECT_TRUE(flow_.take_events().empty());
    EXPECT_EQ(flow_.waiting().moving, 0U);
}

TEST_F(CassandraFlow, PollsThatWaitAreJoined) {
    flow_.add(load(0, {0}, 0, 3));
    EXPECT_FALSE(flow_.take_back(1, 1 << 20));
    EXPECT_FALSE(flow_.take_back(0, 1));
    const auto back = flow_.take_back(0, 1 << 20);
    ASSERT_TRUE(back);
    EXPECT_EQ(flow_.waiting().moving, 0U);
    EXPECT_FALSE(flow_.next(now_));
    flow_.add(back);
    const auto sending = flow_.next(now_);
    EXPECT_FALSE(flow_.take_back(0, 1 << 20)) << "it is under way";
    flow_.done(sending, {}, now_);
}

// A chunk that kept `alone` would send every later row by itself, and reject at its first
// "invalid".
TEST_F(CassandraFlow, ASpareChunkKnowsNothingOfItsEarlierLife) {
    flow_.add(load(0, {0, 1}, 0, 10));
    flow_.add(load(0, {0, 1}, 10, 20));
    run_for(10s, [](std::int32_t partition, std::int64_t offset) {
        return partition == 1 && offset == 4 ? &invalid : nullptr;
    });
    ASSERT_EQ(taken<Rejected>().size(), 1U);
    ASSERT_FALSE(flow_.busy());
    std::size_t spares = 0;
    while (const LoadPtr spare = flow_.take_spare()) {
        ++spares;
        EXPECT_EQ(spare->counted, 0U);
        EXPECT_FALSE(spare->sending || spare->database_probe || spare->route_probe);
        EXPECT_FALSE(spare->alone);
        EXPECT_EQ(spare->refusals, 0U);
        EXPECT_EQ(spare->refused_at, 0U);
    }
    EXPECT_EQ(spares, 2U);
}

}  // namespace
}  // namespace sluice::cassandra
