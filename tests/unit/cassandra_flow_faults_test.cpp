// Cassandra's write protocol: what waits for a database or a table.
#include "cassandra_flow_fixture.hpp"

namespace sluice::cassandra {
namespace {

using namespace std::chrono_literals;

TEST_F(CassandraFlow, ADatabaseThatIsAwayIsTriedByOneChunkAtATime) {
    flow_.add(load(0, {0}, 0, 3));
    flow_.add(load(0, {0}, 3, 6));
    flow_.add(load(0, {0}, 6, 9));
    const Server away = [](auto, auto) { return &timeout; };
    run_for(30s, away);
    ASSERT_EQ(taken<Waiting>().size(), 1U) << "told once";
    EXPECT_EQ(taken<Waiting>()[0].error->code, "timeout");
    EXPECT_FALSE(taken<Waiting>()[0].route);
    EXPECT_EQ(flow_.counts().batches, 0U);
    const auto& retries = flow_.counts().retries;
    EXPECT_EQ(retries.size(), 1U);
    // Backoff doubles from 0.2 s to 5 s, and so the tries of 30 s are few.
    EXPECT_GE(retries.at("timeout"), 5U);
    EXPECT_LE(retries.at("timeout"), 15U);
    now_ += 10s;
    const auto probe = flow_.next(now_);
    ASSERT_TRUE(probe);
    EXPECT_FALSE(flow_.next(now_)) << "only the probe";
    flow_.done(probe, {}, now_);
    run(good);
    EXPECT_EQ(taken<Durable>().size(), 3U);
    EXPECT_EQ(flow_.counts().batches, 3U);
    ASSERT_EQ(taken<Waiting>().size(), 2U);
    EXPECT_FALSE(taken<Waiting>()[1].error);
}

TEST_F(CassandraFlow, ADroppedTableHoldsUpItsRouteAloneAndNothingIsRejected) {
    flow_.add(load(0, {0}, 0, 10));
    flow_.add(load(0, {0}, 10, 20));
    const Server dropped = [](std::int32_t partition, auto) {
        return partition == 0 ? &invalid : nullptr;
    };
    const auto missing = []() -> std::optional<Error> {
        return Error{.action = Action::configure,
                     .op = {},
                     .where = {},
                     .code = {},
                     .detail = "missing",
                     .hint = {}};
    };
    run_for(2s, dropped, missing);
    flow_.add(load(1, {1}, 0, 10));
    run_for(20s, dropped, missing);
    ASSERT_EQ(taken<Durable>().size(), 1U);
    EXPECT_EQ(taken<Durable>()[0].range.partition, partition_of(1));
    ASSERT_EQ(taken<Waiting>().size(), 1U);
    EXPECT_EQ(taken<Waiting>()[0].error->detail, "missing");
    EXPECT_EQ(taken<Waiting>()[0].route, 0U);
    run_for(20s, good);
    EXPECT_EQ(taken<Durable>().size(), 3U);
    EXPECT_FALSE(taken<Waiting>().back().error);
    EXPECT_TRUE(taken<Rejected>().empty());
    EXPECT_FALSE(flow_.busy());
}

TEST_F(CassandraFlow, AMissingPrivilegeIsToldAtOnce) {
    flow_.add(load(0, {0}, 0, 10));
    run([](auto, auto) { return &unauthorized; });
    ASSERT_EQ(taken<Waiting>().size(), 1U);
    EXPECT_EQ(taken<Waiting>()[0].route, 0U);
    run_for(10s, good);
    EXPECT_EQ(taken<Durable>().size(), 1U);
}

TEST_F(CassandraFlow, ABugRefusesThePartition) {
    const Error panic = error_of(SLC_PANIC);
    flow_.add(load(0, {0}, 0, 10));
    flow_.add(load(0, {0, 1}, 10, 20));
    run([&](std::int32_t partition, auto) { return partition == 0 ? &panic : nullptr; });
    ASSERT_EQ(taken<Refused>().size(), 1U);
    EXPECT_EQ(taken<Refused>()[0].partition, partition_of(0));
    for (const auto& durable : taken<Durable>()) {
        EXPECT_EQ(durable.range.partition, partition_of(1));
    }
    EXPECT_FALSE(flow_.busy_with(std::vector{partition_of(0)}));
}

TEST_F(CassandraFlow, WhatWaitsForItsTableTakesNoRoomFromOtherRoutes) {
    flow_.add(load(0, {0}, 0, 10));
    run([](auto, auto) { return &unauthorized; });
    ASSERT_EQ(taken<Waiting>().size(), 1U);
    EXPECT_EQ(flow_.waiting().moving, 0U);
    EXPECT_TRUE(flow_.busy());
    flow_.add(load(1, {1}, 0, 10));
    EXPECT_GT(flow_.waiting().moving, 0U);
}

TEST_F(CassandraFlow, AFaultWithNothingLeftToTryIsOver) {
    flow_.add(load(0, {0}, 0, 10));
    run([](auto, auto) { return &unauthorized; });
    flow_.add(load(1, {1}, 0, 10));
    run([](auto, auto) { return &timeout; });
    ASSERT_EQ(taken<Waiting>().size(), 2U);
    flow_.drop(partition_of(0));
    flow_.drop(partition_of(1));
    run(good);
    ASSERT_EQ(taken<Waiting>().size(), 4U);
    EXPECT_FALSE(flow_.due());
}

// Found by the random histories: nothing was left in the queue to try the database with.
TEST_F(CassandraFlow, ADatabaseThatIsAwayIsTriedAlsoWhenTablesHaveParkedEverything) {
    flow_.add(load(0, {0}, 0, 10));
    flow_.add(load(1, {1}, 0, 10));
    const auto first = flow_.next(now_);
    const auto second = flow_.next(now_);
    flow_.done(first, answer(first, [](auto, auto) { return &unauthorized; }), now_);
    auto both = answer(second, [](auto, auto) { return &unauthorized; });
    both.errors.push_back(timeout);
    both.failures.back().error = static_cast<std::uint32_t>(both.errors.size() - 1);
    flow_.done(second, both, now_);
    run_for(20s, good);
    EXPECT_EQ(taken<Durable>().size(), 2U);
    EXPECT_FALSE(flow_.due());
}

// due() in the past while neither next() nor stale() has anything is a loop without a wait.
TEST_F(CassandraFlow, WhileTheDatabaseIsAwayNothingIsDueBeforeItsNextTry) {
    flow_.add(load(0, {0}, 0, 10));
    flow_.add(load(1, {1}, 0, 10));
    const auto first = flow_.next(now_);
    const auto second = flow_.next(now_);
    flow_.done(first, answer(first, [](auto, auto) { return &unauthorized; }), now_);
    ASSERT_TRUE(flow_.due());
    now_ = *flow_.due();  // The route's time has come, and then the database goes away.
    flow_.done(second, answer(second, [](auto, auto) { return &timeout; }), now_);
    EXPECT_FALSE(flow_.stale(now_));
    ASSERT_TRUE(flow_.due());
    EXPECT_GT(*flow_.due(), now_);
    now_ = *flow_.due();
    const auto probe = flow_.next(now_);
    ASSERT_TRUE(probe);
    EXPECT_FALSE(flow_.due()) << "only the probe's outcome is waited for";
    flow_.done(probe, {}, now_);
    run_for(10s, good);
    EXPECT_FALSE(flow_.busy());
}

TEST_F(CassandraFlow, WithNothingToTryTheDatabaseWithNothingIsDue) {
    flow_.add(load(0, {0}, 0, 10));
    flow_.add(load(0, {1}, 0, 10));
    const auto first = flow_.next(now_);
    const auto second = flow_.next(now_);
    flow_.drop(partition_of(0));
    flow_.done(first, answer(first, [](auto, auto) { return &timeout; }), now_);
    EXPECT_FALSE(flow_.due()) << "the other chunk's outcome is waited for";
    flow_.done(second, {}, now_);
    EXPECT_FALSE(flow_.busy());
    EXPECT_FALSE(flow_.due());
}

}  // namespace
}  // namespace sluice::cassandra
