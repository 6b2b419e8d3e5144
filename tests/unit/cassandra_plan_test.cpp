// A target against a table: what fills it, which statements come of it, and what is wrong.
#include "sinks/cassandra/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "cassandra_fixture.hpp"
#include "sinks/cassandra/encode.hpp"
#include "sinks/cassandra/rows.hpp"

namespace sluice::cassandra {
namespace {

using testing::HasSubstr;

TEST(CassandraPlan, ZeroConfigFillsTheBucketWithoutAColumn) {
    const Table table = make_events_table();
    const Target target = complete(Target{}, table);
    ASSERT_EQ(target.columns.size(), 6U);
    EXPECT_TRUE(find_problems(target, table).empty());
    const TablePlan plan = make_plan(target, table, {});
    EXPECT_EQ(plan.insert,
              "INSERT INTO \"shop\".\"events\" (\"kafka_topic\", \"kafka_partition\", \"bucket\", "
              "\"kafka_offset\", \"data\", \"key\", \"timestamp\") VALUES (?, ?, ?, ?, ?, ?, ?) "
              "USING TIMESTAMP ?");
    EXPECT_EQ(plan.remove, "");
    EXPECT_EQ(plan.partition_key_size, 3U);
    EXPECT_EQ(plan.binds[2].fill, Fill::bucket);
    EXPECT_EQ(plan.binds[4].fill, Fill::json);  // The value as it came.
    EXPECT_EQ(plan.binds[5].fill, Fill::cell);  // The key is a string.
}

TEST(CassandraPlan, AUsersOwnEventsTableGetsItsIdFromTheRecord) {
    const Table table{.keyspace = "shop",
                      .name = "events",
                      .columns = {make_column("id", "uuid", ColumnKind::partition_key, 0),
                                  make_column("data", "text"), make_column("note", "text")}};
    const Target target = complete(Target{}, table);
    ASSERT_EQ(target.columns.size(), 2U);
    EXPECT_EQ(target.columns[0].path.source, Source::meta_id);
    EXPECT_TRUE(find_problems(target, table).empty());
}

TEST(CassandraPlan, NamedTablesAreFilledByNameKeyFirst) {
    const Table table = make_table();
    Target target = complete(upsert_target(), table);
    EXPECT_TRUE(find_problems(target, table).empty());
    std::swap(target.columns[0], target.columns[3]);  // Rows may carry their cells in any order.
    const TablePlan plan = make_plan(target, table, {});
    EXPECT_EQ(plan.binds[0].column.name, "id");
    EXPECT_EQ(plan.binds[0].cell, 3U);
    EXPECT_EQ(plan.primary_key_size, 2U);
    EXPECT_EQ(plan.remove,
              "DELETE FROM \"shop\".\"orders\" USING TIMESTAMP ? WHERE \"id\" = ? AND \"n\" = ?");
}

TEST(CassandraPlan, ProblemsNameWhatToDo) {
    Table table = make_table();
    Target target = complete(upsert_target(), table);
    target.columns[3].column = "w";
    auto problems = find_problems(target, table);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0].where, "w");
    EXPECT_EQ(problems[0].action, Action::configure);

    target = complete(upsert_target(), table);
    target.key = {"id"};
    problems = find_problems(target, table);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_THAT(problems[0].message(), HasSubstr("the primary key of table orders is [id, n]"));

    target = complete(upsert_target(), table);
    target.columns.erase(target.columns.begin() + 1);
    problems = find_problems(target, table);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_THAT(problems[0].message(), HasSubstr("'n' belongs to the primary key"));

    table.columns.push_back(make_column("tags", "list<text>"));
    problems = find_problems(complete(upsert_target(), table), table);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_THAT(problems[0].message(), HasSubstr("list<text>, which is not supported"));

    table.columns.push_back(make_column("hits", "counter"));
    problems = find_problems(complete(upsert_target(), table), table);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_THAT(problems[0].message(), HasSubstr("counters"));
}

TEST(CassandraPlan, NamesWithAKeyspaceAreSplit) {
    EXPECT_EQ(split_name("orders", "shop").keyspace, "shop");
    EXPECT_EQ(split_name("Other.Orders", "shop").keyspace, "Other");
    EXPECT_EQ(split_name("Other.Orders", "shop").table, "Orders");
    EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
}

class CassandraRows : public testing::Test {
protected:
    Table table_ = make_table();
    TablePlan plan_ = make_plan(complete(upsert_target(), table_), table_, {});
    std::vector<Cell> cells_{text_cell("a"), integer_cell(7), Cell{}, text_cell("v")};
    std::string out_;

    Result<EncodedRow> append(RowOp op = RowOp::put) {
        return append_row(plan_, record_of(3, 120), ClockMicros{9},
                          {.target = 0, .op = op, .cells = cells_}, out_);
    }
    std::string refusal(const std::string& before = "kept") {
        out_ = before;
        const auto row = append();
        EXPECT_FALSE(row);
        EXPECT_EQ(out_, before);
        return row ? std::string() : row.error().message();
    }
};

TEST_F(CassandraRows, APutBindsItsCellsAndThenItsTimestamp) {
    cells_[3].kind = CellKind::null;
    const auto row = append();
    ASSERT_TRUE(row);
    std::string want;
    append_bytes(want, "a");
    EXPECT_EQ(row->key_begin, 0U);
    EXPECT_EQ(row->key_size, want.size());
    append_number(want, std::int32_t{7});
    append_length(want, length_unset);
    append_length(want, length_null);
    append_number(want, std::int64_t{9});
    EXPECT_EQ(out_, want);
}

TEST_F(CassandraRows, ADeleteBindsItsTimestampAndThenTheKey) {
    cells_[3] = Cell{};
    const auto row = append(RowOp::del);
    ASSERT_TRUE(row);
    std::string want;
    append_number(want, std::int64_t{9});
    EXPECT_EQ(row->key_begin, want.size());
    append_bytes(want, "a");
    append_number(want, std::int32_t{7});
    EXPECT_EQ(out_, want);
}

TEST_F(CassandraRows, AKeyIsNeverNullAbsentEmptyOrTooLong) {
    cells_[1].kind = CellKind::null;
    EXPECT_THAT(refusal(),
                HasSubstr("t[3]@120, column orders.n: a column of the primary key is null"));
    cells_[1].kind = CellKind::absent;
    EXPECT_THAT(refusal(), HasSubstr("primary key is absent"));
    cells_[1] = integer_cell(7);
    cells_[0] = text_cell("");
    EXPECT_THAT(refusal(), HasSubstr("the partition key is empty"));
    const std::string longest(65'535, 'x');
    cells_[0] = text_cell(longest);
    EXPECT_TRUE(append());
    const std::string longer(65'536, 'x');
    cells_[0] = text_cell(longer);
    EXPECT_THAT(refusal(), HasSubstr("longer than the 65,535 bytes"));
}

TEST_F(CassandraRows, ARowBeyondWhatIsSentAtOnceIsRefused) {
    const std::string large(row_bytes_max, 'x');
    cells_[3] = text_cell(large);
    EXPECT_THAT(refusal(), HasSubstr("more than the 12582912 that are sent at once"));
}

TEST_F(CassandraRows, ABucketHolds4096Offsets) {
    const Table table = make_events_table();
    const TablePlan plan = make_plan(complete(Target{}, table), table, {});
    const auto key = [&](std::int64_t offset) {
        const std::vector<Cell> cells{text_cell("t"),  integer_cell(3), integer_cell(offset),
                                      text_cell("{}"), Cell{},          Cell{}};
        std::string out;
        const auto row = append_row(plan, record_of(3, offset), ClockMicros{1},
                                    {.target = 0, .op = RowOp::put, .cells = cells}, out);
        return row ? out.substr(row->key_begin, row->key_size) : row.error().message();
    };
    EXPECT_EQ(key(0), key(4095));
    EXPECT_NE(key(4095), key(4096));
}

}  // namespace
}  // namespace sluice::cassandra
