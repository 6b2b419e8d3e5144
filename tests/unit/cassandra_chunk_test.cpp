// Rows of one Cassandra partition leave as one batch, whatever their order, within its bounds.
#include "sinks/cassandra/chunk.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "cassandra_fixture.hpp"

namespace sluice::cassandra {
namespace {

class CassandraChunk : public testing::Test {
protected:
    Table table_ = make_table();
    TablePlan plan_ = make_plan(complete(upsert_target(), table_), table_, {});
    Chunk chunk_;
    std::map<std::uint64_t, std::string> keys_;  // By where the row's cells begin.

    void SetUp() override { chunk_.start(1, 0); }

    bool add(std::uint32_t piece, std::int64_t offset, std::string_view key,
             std::string_view value = "v", std::uint32_t table = 0,
             std::optional<std::uint32_t> item = {}) {
        const std::vector<Cell> cells{text_cell(key), integer_cell(1), Cell{}, text_cell(value)};
        const auto begin = chunk_.cells().size();
        const bool added = chunk_
                               .add(piece, table, table * 2, plan_, record_of(0, offset),
                                    ClockMicros{offset + 1},
                                    {.target = 0, .op = RowOp::put, .cells = cells, .item = item})
                               .has_value();
        if (added) {
            keys_[begin] = std::to_string(table) + std::string(key);
        }
        return added;
    }
    // Rows by group.
    std::map<std::uint32_t, std::vector<std::uint64_t>> groups(bool alone = false) {
        chunk_.list(alone);
        std::map<std::uint32_t, std::vector<std::uint64_t>> out;
        std::set<std::uint32_t> closed;
        std::uint32_t last = 0;
        for (const auto& row : chunk_.wire()) {
            if (row.group != last) {
                EXPECT_TRUE(closed.insert(row.group).second) << "a group's rows are neighbours";
            }
            last = row.group;
            EXPECT_TRUE(keys_.contains(row.cells_offset + row.cells_size) ||
                        row.cells_offset + row.cells_size == chunk_.cells().size())
                << "a row ends where the next one begins";
            out[row.group].push_back(row.cells_offset);
        }
        EXPECT_EQ(out.size(), chunk_.requests());
        return out;
    }
};

TEST_F(CassandraChunk, RowsOfOneKeyBecomeNeighbours) {
    const auto piece = chunk_.add_piece(partition_of(0), Offset{0});
    for (std::int64_t i = 0; i < 12; ++i) {
        ASSERT_TRUE(add(piece, i, i % 3 == 0 ? "a" : "b", "v", i % 2 == 0 ? 0 : 1));
    }
    const auto found = groups();
    EXPECT_EQ(found.size(), 4U);  // Two keys in two tables.
    for (const auto& [group, rows] : found) {
        for (const auto row : rows) {
            EXPECT_EQ(keys_[row], keys_[rows.front()]);
        }
    }
    EXPECT_EQ(groups(true).size(), 12U);
}

TEST_F(CassandraChunk, AGroupIsBoundedInRowsAndBytes) {
    const auto piece = chunk_.add_piece(partition_of(0), Offset{0});
    for (std::int64_t i = 0; i < 1200; ++i) {
        ASSERT_TRUE(add(piece, i, "a"));
    }
    EXPECT_EQ(groups().size(), 3U);
    const std::string large(group_bytes_max / 2, 'x');
    for (std::int64_t i = 0; i < 4; ++i) {
        ASSERT_TRUE(add(piece, 1200 + i, "b", large));
    }
    EXPECT_EQ(groups().size(), 3U + 4U);
}

TEST_F(CassandraChunk, ARecordIsTakenBackWhole) {
    const auto piece = chunk_.add_piece(partition_of(0), Offset{0});
    ASSERT_TRUE(add(piece, 0, "a"));
    const auto bytes = chunk_.cells().size();
    ASSERT_TRUE(add(piece, 1, "a"));
    ASSERT_TRUE(add(piece, 1, "b"));
    EXPECT_FALSE(add(piece, 1, ""));
    chunk_.roll_back(piece, Offset{1});
    EXPECT_EQ(chunk_.cells().size(), bytes);
    EXPECT_EQ(chunk_.rows(), 1U);
    EXPECT_EQ(chunk_.pieces()[piece].open, 1U);
    ASSERT_TRUE(add(piece, 2, "b"));
    ASSERT_TRUE(add(piece, 3, "a"));
    EXPECT_EQ(groups().size(), 2U);
    EXPECT_EQ(chunk_.wire().size(), 3U);
}

TEST_F(CassandraChunk, ItemsOfARecordHaveKeysOfTheirOwn) {
    const auto piece = chunk_.add_piece(partition_of(0), Offset{0});
    const auto other = chunk_.add_piece(partition_of(1), Offset{0});
    const auto add_item = [&](std::uint32_t to, std::int64_t offset, std::uint32_t item,
                              std::string_view key, std::uint32_t table = 0) {
        return add(to, offset, key, "v", table, item);
    };
    ASSERT_TRUE(add_item(piece, 5, 0, "a"));
    ASSERT_TRUE(add_item(piece, 5, 1, "b"));
    ASSERT_TRUE(add_item(piece, 5, 0, "a", 1)) << "in another table";
    EXPECT_FALSE(add_item(piece, 5, 2, "a"));
    EXPECT_EQ(chunk_.rows(), 3U);
    chunk_.roll_back(piece, Offset{5});
    EXPECT_EQ(chunk_.rows(), 0U);
    ASSERT_TRUE(add_item(piece, 5, 0, "a")) << "the record comes again";
    ASSERT_TRUE(add_item(other, 5, 0, "a")) << "another record";
    ASSERT_TRUE(add_item(other, 6, 0, "a")) << "another record";
    chunk_.start(2, 0);
    const auto fresh = chunk_.add_piece(partition_of(1), Offset{6});
    ASSERT_TRUE(add_item(fresh, 6, 0, "a")) << "the record comes again";
}

TEST_F(CassandraChunk, OnlyWhatIsOpenAndLiveIsListed) {
    const auto first = chunk_.add_piece(partition_of(0), Offset{0});
    const auto second = chunk_.add_piece(partition_of(1), Offset{0});
    for (std::int64_t i = 0; i < 10; ++i) {
        ASSERT_TRUE(add(first, i, "a"));
        ASSERT_TRUE(add(second, i, "a"));
    }
    chunk_.pieces()[first].to = Offset{10};
    chunk_.list(false);
    ASSERT_EQ(chunk_.wire().size(), 20U);
    chunk_.settle(chunk_.row_at(0));
    chunk_.list(false);
    EXPECT_EQ(chunk_.wire().size(), 19U);
    chunk_.pieces()[second].live = false;
    chunk_.cut(first, Offset{4});
    chunk_.list(false);
    EXPECT_EQ(chunk_.wire().size(), chunk_.pieces()[first].open);
    EXPECT_EQ(chunk_.pieces()[first].rows, 4U);
    EXPECT_EQ(chunk_.pieces()[first].to, Offset{4});
    chunk_.cut(first, Offset{0});
    EXPECT_FALSE(chunk_.has_live());
}

TEST_F(CassandraChunk, AnyMixtureOfKeysIsGroupedByKeyAndComplete) {
    std::mt19937 random(20260101);
    for (int round = 0; round < 50; ++round) {
        keys_.clear();
        chunk_.start(static_cast<std::uint64_t>(round) + 2, 0);
        const auto piece = chunk_.add_piece(partition_of(0), Offset{0});
        const auto keys = random() % 300 + 1;
        const auto rows = random() % 3000;
        std::size_t taken_back = 0;
        for (std::uint32_t i = 0; i < rows; ++i) {
            ASSERT_TRUE(add(piece, i, "k" + std::to_string(random() % keys)));
            if (random() % 20 == 0) {
                chunk_.roll_back(piece, Offset{i});
                ++taken_back;
            }
        }
        std::size_t listed = 0;
        for (const auto& [group, members] : groups()) {
            EXPECT_LE(members.size(), group_rows_max);
            listed += members.size();
            for (const auto row : members) {
                ASSERT_EQ(keys_[row], keys_[members.front()]);
            }
        }
        EXPECT_EQ(listed, rows - taken_back);
    }
}

}  // namespace
}  // namespace sluice::cassandra
