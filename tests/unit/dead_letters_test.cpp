// Goal: a dead letter holds the record as it came, and why it is one.
#include "sinks/dead_letters.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace sluice {
namespace {

const TopicPartition partition{"orders", PartitionId{3}};

const Error no_json{.action = Action::reject,
                    .op = "decode.json",
                    .where = "orders[3]@120",
                    .code = {},
                    .detail = "the value is not JSON",
                    .hint = "say value: string"};

TEST(DeadLetter, HoldsTheRecordAsItCame) {
    const std::vector<Header> headers{
        {"trace", "a\"b"}, {"raw", std::string_view("\xff\0", 2)}, {"none", std::nullopt}};
    const Record record{.partition = &partition,
                        .offset = Offset{120},
                        .timestamp_ms = 1'700'000'000'000,
                        .key = "\xfe",
                        .value = "",
                        .headers = headers};
    DeadLetterMapper mapper;
    const Row row = mapper.map(record, no_json, 2);
    EXPECT_EQ(row.target, 2U);
    ASSERT_EQ(row.cells.size(), dead_letter_columns.size());
    EXPECT_EQ(row.cells[0].text, "orders");
    EXPECT_EQ(row.cells[1].integer, 3);
    EXPECT_EQ(row.cells[2].integer, 120);
    EXPECT_EQ(row.cells[3].kind, CellKind::time_ms);
    EXPECT_EQ(row.cells[4].kind, CellKind::bytes);
    EXPECT_EQ(row.cells[4].text, "\xfe");
    EXPECT_EQ(row.cells[5].kind, CellKind::bytes) << "an empty value is not null";
    EXPECT_EQ(row.cells[6].raw, R"([{"name": "trace", "value": "a\"b"}, )"
                                R"({"name": "raw", "hex": "ff00"}, )"
                                R"({"name": "none", "value": null}])");
    EXPECT_EQ(row.cells[7].text, "decode.json");
    EXPECT_EQ(row.cells[8].text, no_json.message());
}

TEST(DeadLetter, WhatIsNotThereIsNull) {
    Error coded = no_json;
    coded.code = "23514";
    const Record record{.partition = &partition,
                        .offset = Offset{0},
                        .timestamp_ms = {},
                        .key = {},
                        .value = {},
                        .headers = {}};
    DeadLetterMapper mapper;
    const Row row = mapper.map(record, coded, 0);
    for (const std::size_t column : {3U, 4U, 5U, 6U}) {
        EXPECT_EQ(row.cells[column].kind, CellKind::null) << dead_letter_columns[column];
    }
    EXPECT_EQ(row.cells[7].text, "decode.json 23514");
}

// It stopped the partition of the dead letter itself: no table took the time.
TEST(DeadLetter, ATimeThatNoColumnHoldsIsLeftOut) {
    DeadLetterMapper mapper;
    for (const std::int64_t ms :
         {std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min(),
          std::int64_t{253'402'300'800'000}}) {
        const Record record{.partition = &partition,
                            .offset = Offset{0},
                            .timestamp_ms = ms,
                            .key = {},
                            .value = {},
                            .headers = {}};
        EXPECT_EQ(mapper.map(record, no_json, 0).cells[3].kind, CellKind::null) << ms;
    }
}

TEST(KeptRecords, AreFoundAsTheyCame) {
    const std::vector<Header> headers{{"trace", "t"}, {"", std::nullopt}, {"empty", ""}};
    KeptRecords kept;
    kept.add({.partition = &partition,
              .offset = Offset{5},
              .timestamp_ms = -1,
              .key = "k",
              .value = std::nullopt,
              .headers = headers},
             ClockMicros{7});
    kept.add({.partition = &partition,
              .offset = Offset{9},
              .timestamp_ms = {},
              .key = {},
              .value = "",
              .headers = {}},
             ClockMicros{8});
    const auto last = kept.find(partition, Offset{9});
    EXPECT_EQ(last.clock, ClockMicros{8});
    EXPECT_EQ(last.record.timestamp_ms, std::nullopt);
    EXPECT_EQ(last.record.key, std::nullopt);
    EXPECT_EQ(last.record.value, "");
    EXPECT_TRUE(last.record.headers.empty());
    const auto first = kept.find(partition, Offset{5});
    EXPECT_EQ(first.record.where(), "orders[3]@5");
    EXPECT_EQ(first.record.timestamp_ms, -1);
    EXPECT_EQ(first.record.key, "k");
    EXPECT_EQ(first.record.value, std::nullopt);
    ASSERT_EQ(first.record.headers.size(), 3U);
    EXPECT_EQ(first.record.headers[0].value, "t");
    EXPECT_EQ(first.record.headers[1].name, "");
    EXPECT_EQ(first.record.headers[1].value, std::nullopt);
    EXPECT_EQ(first.record.headers[2].value, "");
}

}  // namespace
}  // namespace sluice
