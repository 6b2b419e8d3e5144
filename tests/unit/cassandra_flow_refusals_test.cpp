// Cassandra's write protocol: whose fault it is that a row is invalid, and what becomes of a record
// that the server refuses.
#include "cassandra_flow_fixture.hpp"

namespace sluice::cassandra {
namespace {

using namespace std::chrono_literals;

TEST_F(CassandraFlow, OneInvalidRecordIsRejectedAndItsNeighboursAreWritten) {
    flow_.add(load(0, {0, 1}, 0, 10));
    flow_.add(load(0, {0, 1}, 10, 20));
    const Server server = [](std::int32_t partition, std::int64_t offset) {
        return partition == 1 && (offset == 4 || offset == 7) ? &invalid : nullptr;
    };
    run_for(10s, server);
    const auto rejected = taken<Rejected>();
    // A neighbour passed in the same attempts, so the record is at fault.
    ASSERT_EQ(rejected.size(), 1U);
    EXPECT_EQ(rejected[0].partition, partition_of(1));
    EXPECT_EQ(rejected[0].offset, Offset{4});
    EXPECT_EQ(rejected[0].error.action, Action::reject);
    EXPECT_EQ(rejected[0].error.where, "t[1]@4");
    std::int64_t whole = 0;
    for (const auto& durable : taken<Durable>()) {
        if (durable.range.partition == partition_of(1) && durable.range.from == Offset{0}) {
            EXPECT_EQ(durable.range.to, Offset{4});
        }
        whole += durable.range.partition == partition_of(0) ? 10 : 0;
    }
    EXPECT_EQ(whole, 20);
    EXPECT_FALSE(flow_.busy());
}

// Nothing else will come where the topic has little traffic, or the lane runs to the end.
TEST_F(CassandraFlow, AnInvalidRowWithoutANeighbourIsRejectedWhenItsTableStaysAsItWas) {
    flow_.add(load(0, {0}, 0, 1));
    const Server server = [](auto, auto) { return &invalid; };
    run_for(6s, server);
    EXPECT_TRUE(taken<Rejected>().empty()) << "nodes may not agree on the table yet";
    ASSERT_EQ(taken<Waiting>().size(), 1U);
    EXPECT_EQ(taken<Waiting>()[0].route, 0U);
    run_for(6s, server);
    ASSERT_EQ(taken<Rejected>().size(), 1U);
    EXPECT_EQ(taken<Rejected>()[0].offset, Offset{0});
    EXPECT_FALSE(taken<Waiting>().back().error) << "the table is all right";
    EXPECT_FALSE(flow_.busy());
    EXPECT_FALSE(flow_.due());
}

// A guardrail, or a default TTL that ends behind 2038, refuses every row: no record is to blame.
TEST_F(CassandraFlow, ManyThatAreInvalidAlikeAreTheirTablesFault) {
    for (const bool at_once : {true, false}) {
        std::size_t buried = 0;
        flow_ = Flow(2, 2, backoff, [&](Chunk& chunk, std::uint32_t piece, Offset offset, auto&) {
            ++buried;
            chunk.forget(piece, offset);
            return Result<void>{};
        });
        bool refuses = true;
        const Server server = [&](auto, auto) { return refuses ? &invalid : nullptr; };
        for (std::int64_t at = 0; at < 40; at += at_once ? 20 : 1) {
            flow_.add(load(0, {0}, at, at_once ? at + 20 : at + 1));
            run_for(20s, server);
        }
        run_for(300s, server);
        EXPECT_EQ(buried, at_once ? 0U : 15U) << "one by one nothing tells, until there are many";
        EXPECT_TRUE(taken<Waiting>().back().error);
        refuses = false;
        run_for(300s, server);
        EXPECT_FALSE(flow_.busy());
        EXPECT_EQ(buried, at_once ? 0U : 15U);
        EXPECT_FALSE(taken<Waiting>().back().error);
    }
}

// A producer's fault that is mended: what comes next is fetched, and shows whose fault it was.
TEST_F(CassandraFlow, WhatIsMendedBehindManyThatFailAlikePasses) {
    std::size_t buried = 0;
    flow_ = Flow(2, 2, backoff, [&](Chunk& chunk, std::uint32_t piece, Offset offset, auto&) {
        ++buried;
        chunk.forget(piece, offset);
        return Result<void>{};
    });
    const Server server = [](auto, std::int64_t offset) {
        return offset < 30 ? &invalid : nullptr;
    };
    flow_.add(load(0, {0}, 0, 20));
    run_for(4s, server);
    ASSERT_FALSE(taken<Waiting>().empty());
    EXPECT_FALSE(taken<Waiting>().back().for_records) << "it may be the table's";
    run_for(20s, server);
    EXPECT_TRUE(taken<Waiting>().back().error);
    EXPECT_TRUE(taken<Waiting>().back().for_records);
    for (std::int64_t at = 20; at < 30; ++at) {
        flow_.add(load(0, {0}, at, at + 1));
        run_for(3s, server);
    }
    EXPECT_EQ(buried, 0U);
    EXPECT_TRUE(taken<Waiting>().back().for_records) << "those that fail like them tell nothing";
    for (std::int64_t at = 30; at < 60; ++at) {
        flow_.add(load(0, {0}, at, at + 1));
        run_for(1s, server);
    }
    EXPECT_EQ(buried, 30U);
    EXPECT_FALSE(taken<Waiting>().back().error);
    EXPECT_FALSE(flow_.busy());
}

// So much and no more: the room is for the other routes, too.
TEST_F(CassandraFlow, OfATableThatRefusesEverythingLittleIsFetched) {
    const Server server = [](auto, auto) { return &invalid; };
    flow_.add(load(0, {0}, 0, 20));
    run_for(20s, server);
    EXPECT_TRUE(taken<Waiting>().back().for_records);
    std::int64_t at = 20;
    for (; at < 100'000 && taken<Waiting>().back().for_records; at += 100) {
        EXPECT_EQ(flow_.waiting().aside, 0U);
        flow_.add(load(0, {0}, at, at + 100));
        run(server);
    }
    EXPECT_GT(at, 1000);
    EXPECT_LT(at, 100'000);
    EXPECT_GT(flow_.waiting().aside, 0U);
    run_for(60s, server);
    EXPECT_FALSE(taken<Waiting>().back().for_records);
}

// What had passed before tells nothing of the table any more: it is refused now itself. Two
// batches; between them the fault begins. Of three rows, fewer than would be their table's fault by
// number.
TEST_F(CassandraFlow, ATableThatBeginsToRefuseAmidAChunkBlamesNoRecord) {
    constexpr auto batch = static_cast<std::int64_t>(group_rows_max);
    for (const std::int64_t refused : {3, 200}) {
        flow_ = Flow(2, 2, backoff);
        events_.clear();
        bool begun = false;
        bool over = false;
        const Server server = [&](auto, std::int64_t offset) {
            return !over && (begun || offset >= batch) ? &invalid : nullptr;
        };
        flow_.add(load(0, {0}, 0, batch + refused));
        run(server);
        begun = true;
        run_for(300s, server);
        EXPECT_TRUE(taken<Rejected>().empty()) << refused;
        ASSERT_FALSE(taken<Waiting>().empty());
        EXPECT_TRUE(taken<Waiting>().back().error);
        over = true;
        run_for(60s, server);
        ASSERT_EQ(taken<Durable>().size(), 1U);
        EXPECT_EQ(taken<Durable>()[0].range.to, Offset{batch + refused});
        EXPECT_FALSE(flow_.busy());
    }
}

TEST_F(CassandraFlow, ANeighbourThatPassesShowsSoonerWhoseFaultItIs) {
    flow_.add(load(0, {0}, 0, 1));
    const Server server = [](std::int32_t partition, auto) {
        return partition == 0 ? &invalid : nullptr;
    };
    run_for(1s, server);
    flow_.add(load(0, {1}, 0, 1));
    run_for(2s, server);
    EXPECT_EQ(taken<Durable>().size(), 1U);
    EXPECT_EQ(taken<Rejected>().size(), 1U);
    EXPECT_TRUE(taken<Waiting>().empty());
    EXPECT_FALSE(flow_.busy());
}

// Each refused record, not the first alone, and all that follow it are written.
TEST_F(CassandraFlow, ARefusedRecordIsBuriedAndItsPartitionGoesOn) {
    std::vector<std::int64_t> buried;
    flow_ = Flow(2, 2, backoff,
                 [&](Chunk& chunk, std::uint32_t piece, Offset offset, const Error& error) {
                     EXPECT_EQ(error.action, Action::reject);
                     buried.push_back(offset.value());
                     chunk.forget(piece, offset);
                     chunk.pieces()[piece].letters.push_back({offset, "database"});
                     return Result<void>{};
                 });
    flow_.add(load(0, {0, 1}, 0, 10));
    run_for(5s, [](std::int32_t partition, std::int64_t offset) {
        return partition == 1 && (offset == 4 || offset == 7) ? &invalid : nullptr;
    });
    EXPECT_EQ(buried, (std::vector<std::int64_t>{4, 7}));
    EXPECT_EQ(taken<Buried>().size(), 2U);
    EXPECT_TRUE(taken<Rejected>().empty());
    const auto durable = taken<Durable>();
    ASSERT_EQ(durable.size(), 2U);
    EXPECT_EQ(durable[0].rows + durable[1].rows, 18U);
    EXPECT_EQ(durable[0].dead_letters.size() + durable[1].dead_letters.at("database"), 2U);
    EXPECT_FALSE(flow_.busy());
}

// The first chunk's end says nothing against what passed beside the second's rows.
TEST_F(CassandraFlow, RefusedRecordsOfSeveralChunksHoldUpNoTable) {
    std::vector<std::int64_t> buried;
    flow_ = Flow(2, 2, backoff,
                 [&](Chunk& chunk, std::uint32_t piece, Offset offset, const Error&) {
                     buried.push_back(offset.value());
                     chunk.forget(piece, offset);
                     return Result<void>{};
                 });
    const Server server = [](auto, std::int64_t offset) {
        return offset % 10 == 4 ? &invalid : nullptr;
    };
    flow_.add(load(0, {0}, 0, 10));
    run_for(1s, server);
    flow_.add(load(0, {0}, 10, 20));
    flow_.add(load(0, {0}, 20, 30));
    run_for(10s, server);
    std::ranges::sort(buried);
    EXPECT_EQ(buried, (std::vector<std::int64_t>{4, 14, 24}));
    EXPECT_TRUE(taken<Waiting>().empty()) << "the table is all right";
    EXPECT_FALSE(flow_.busy());
}

TEST_F(CassandraFlow, APlaceForDeadLettersThatFailsIsWaitedFor) {
    bool takes = false;
    flow_ = Flow(
        2, 2, backoff,
        [&](Chunk& chunk, std::uint32_t piece, Offset offset, const Error&) -> Result<void> {
            if (!takes) {
                return fail(Error{.action = Action::retry,
                                  .op = "kafka.produce",
                                  .where = {},
                                  .code = {},
                                  .detail = {},
                                  .hint = {}});
            }
            chunk.forget(piece, offset);
            return {};
        });
    flow_.add(load(0, {0}, 0, 3));
    const Server server = [](auto, std::int64_t offset) {
        return offset == 1 ? &invalid : nullptr;
    };
    run_for(20s, server);
    EXPECT_TRUE(taken<Durable>().empty());
    ASSERT_FALSE(taken<Waiting>().empty());
    EXPECT_EQ(taken<Waiting>().back().error->op, "kafka.produce");
    takes = true;
    run_for(20s, server);
    EXPECT_EQ(taken<Durable>().size(), 1U);
    EXPECT_FALSE(taken<Waiting>().back().error);
    EXPECT_FALSE(flow_.busy());
}

TEST_F(CassandraFlow, ATableThatCouldNotBeReadConfirmsNothing) {
    flow_.add(load(0, {0}, 0, 1));
    const Error away = error_of(SLC_CONNECTION);
    run_for(
        60s, [](auto, auto) { return &invalid; }, [&] { return std::optional(away); });
    EXPECT_TRUE(taken<Rejected>().empty());
    run_for(10s, good);
    EXPECT_EQ(taken<Durable>().size(), 1U);
    EXPECT_FALSE(flow_.busy());
}

TEST_F(CassandraFlow, ARowThatIsTooLargeIsRejectedAtOnce) {
    for (const auto* text : {"Rejected an oversized mutation (9/8) for keyspace: shop",
                             "CQL Message of size 9 bytes exceeds allowed maximum of 8 bytes"}) {
        flow_ = Flow(2, 2, backoff);
        events_.clear();
        Error large = translate(SLC_DB, 0x2200, text, "cassandra.write");
        large.where = "shop.orders";
        flow_.add(load(0, {0}, 0, 1));
        run([&](auto, auto) { return &large; });
        ASSERT_EQ(taken<Rejected>().size(), 1U) << text;
        EXPECT_EQ(taken<Rejected>()[0].error.where, "t[0]@0, table shop.orders");
    }
}

// The letter of a record that is too large is larger still.
TEST_F(CassandraFlow, ADeadLetterThatIsTooLargeStopsItsPartition) {
    Error large = invalid;
    large.detail = "Rejected an oversized mutation (5000000/4194304)";
    TablePlan letters = plan_;
    letters.dead_letters = true;
    int buried = 0;
    flow_ = Flow(
        2, 2, backoff, [&](Chunk& chunk, std::uint32_t piece, Offset offset, const Error&) {
            ++buried;
            chunk.forget(piece, offset);
            const std::vector<Cell> cells{text_cell("k"), integer_cell(1), Cell{}, text_cell("v")};
            return chunk.add(piece, 1, 2, letters, record_of(0, offset.value()),
                             ClockMicros{offset.value() + 1},
                             {.target = 0, .op = RowOp::put, .cells = cells});
        });
    flow_.add(load(0, {0}, 0, 10));
    run_for(10s, [&](auto, std::int64_t offset) { return offset == 4 ? &large : nullptr; });
    EXPECT_EQ(buried, 1);
    ASSERT_EQ(taken<Rejected>().size(), 1U);
    EXPECT_EQ(taken<Rejected>()[0].offset, Offset{4});
    EXPECT_FALSE(flow_.busy());
}

}  // namespace
}  // namespace sluice::cassandra
