// Goal: rows are stored, cut into windows and folded by key without losing or reordering any.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "sinks/postgres/batch.hpp"
#include "sinks/postgres/rows.hpp"

namespace sluice::postgres {
namespace {

Column int_column(std::string name, bool not_null = false) {
    return {.name = std::move(name),
            .type_name = "integer",
            .type = Type::int4,
            .modifier = -1,
            .not_null = not_null,
            .has_default = false,
            .generated = false,
            .json_text = false};
}

TablePlan plan() {
    return {.name = "t",
            .quoted = "t",
            .mode = Mode::upsert,
            .columns = {int_column("id", true), int_column("a"), int_column("b")},
            .key_size = 1};
}

Cell integer(std::int64_t value) {
    return {.kind = CellKind::integer, .integer = value, .text = {}, .raw = {}, .uuid = {}};
}
const Cell absent{};
const Cell null{.kind = CellKind::null, .text = {}, .raw = {}, .uuid = {}};

const TopicPartition here{"topic", PartitionId{0}};

Result<void> append(TableRows& rows, std::int64_t offset, RowOp op,
                    const std::vector<Cell>& cells) {
    Record record;
    record.partition = &here;
    record.offset = Offset{offset};
    return append_row(plan(), record, {.target = 0, .op = op, .cells = cells}, rows);
}

std::vector<FoldedRow> fold(const TableRows& rows, Mode mode = Mode::upsert) {
    TablePlan table = plan();
    table.mode = mode;
    table.version = 1;
    Folder folder(table);
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
        folder.add(0, rows.row(i), rows.rows[i]);
    }
    return folder.take();
}

TEST(Rows, AMissingFieldForANotNullColumnRejectsTheRecordAndLeavesNothing) {
    TableRows rows;
    ASSERT_TRUE(append(rows, 1, RowOp::put, {integer(1), integer(2), integer(3)}));
    const std::string before = rows.bytes;
    const auto refused = append(rows, 2, RowOp::put, {absent, integer(2), integer(3)});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().action, Action::reject);
    EXPECT_NE(refused.error().where.find("topic[0]@2, column t.id"), std::string::npos);
    EXPECT_EQ(rows.bytes, before);
    EXPECT_EQ(rows.rows.size(), 1u);
    EXPECT_FALSE(append(rows, 2, RowOp::put, {null, integer(2), integer(3)}));
}

TEST(Folder, LaterCellsWinAndAbsentOnesLeaveEarlierOnes) {
    TableRows rows;
    ASSERT_TRUE(append(rows, 1, RowOp::put, {integer(1), integer(10), integer(20)}));
    ASSERT_TRUE(append(rows, 2, RowOp::put, {integer(1), absent, integer(21)}));
    ASSERT_TRUE(append(rows, 3, RowOp::put, {integer(1), null, absent}));
    const auto folded = fold(rows);
    ASSERT_EQ(folded.size(), 1u);
    EXPECT_EQ(folded[0].op, FoldedOp::merge);
    EXPECT_EQ(folded[0].cells[1].length, -1);
    EXPECT_EQ(folded[0].cells[2].bytes.back(), 21);
    EXPECT_EQ(folded[0].offset, Offset{3});
}

TEST(Folder, WhatFollowsADeleteStartsFromNothing) {
    TableRows rows;
    ASSERT_TRUE(append(rows, 1, RowOp::put, {integer(1), integer(10), integer(20)}));
    ASSERT_TRUE(append(rows, 2, RowOp::del, {integer(1), absent, absent}));
    ASSERT_TRUE(append(rows, 3, RowOp::del, {integer(2), absent, absent}));
    ASSERT_TRUE(append(rows, 4, RowOp::put, {integer(1), integer(11), absent}));
    const auto folded = fold(rows);
    ASSERT_EQ(folded.size(), 2u);
    EXPECT_EQ(folded[0].op, FoldedOp::replace);
    EXPECT_EQ(folded[0].cells[2].length, -2);
    EXPECT_EQ(folded[1].op, FoldedOp::remove);
}

// The last byte of column a, and which record it is from.
std::pair<int, Offset> kept(const FoldedRow& row) {
    return {row.cells[1].bytes.back(), row.offset};
}

TEST(Folder, ATruncateForgetsWhatCameBefore) {
    TableRows rows;
    ASSERT_TRUE(append(rows, 1, RowOp::put, {integer(1), integer(10), integer(20)}));
    ASSERT_TRUE(append(rows, 2, RowOp::truncate, {}));
    ASSERT_TRUE(append(rows, 3, RowOp::put, {integer(2), integer(11), absent}));
    const TablePlan table = plan();
    Folder folder(table);
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
        EXPECT_EQ(folder.truncates(), i > 1);
        folder.add(0, rows.row(i), rows.rows[i]);
    }
    const auto folded = folder.take();
    ASSERT_EQ(folded.size(), 1U);
    EXPECT_EQ(folded[0].offset, Offset{3});
}

TEST(Folder, TheFirstRowStaysInInsertIgnore) {
    TableRows rows;
    ASSERT_TRUE(append(rows, 1, RowOp::put, {integer(1), integer(10), absent}));
    ASSERT_TRUE(append(rows, 2, RowOp::put, {integer(1), integer(11), integer(5)}));
    ASSERT_TRUE(append(rows, 3, RowOp::put, {integer(2), integer(12), absent}));
    ASSERT_TRUE(append(rows, 4, RowOp::del, {integer(2), absent, absent}));
    ASSERT_TRUE(append(rows, 5, RowOp::put, {integer(2), integer(13), absent}));
    ASSERT_TRUE(append(rows, 6, RowOp::put, {integer(2), integer(14), absent}));
    const auto folded = fold(rows, Mode::insert_ignore);
    ASSERT_EQ(folded.size(), 2u);
    EXPECT_EQ(kept(folded[0]), std::pair(10, Offset{1}));
    EXPECT_EQ(folded[0].cells[2].length, -2) << "the second record fills nothing";
    EXPECT_EQ(folded[1].op, FoldedOp::replace);
    EXPECT_EQ(kept(folded[1]), std::pair(13, Offset{5}));
}

TEST(Folder, TheGreatestVersionStaysAndOfEqualOnesTheFirst) {
    TableRows rows;
    std::int64_t offset = 0;
    for (const std::int64_t version : {-300, -2, -70'000, 256, 255, 256}) {
        ASSERT_TRUE(append(rows, offset, RowOp::put, {integer(1), integer(version), absent}));
        ASSERT_TRUE(append(rows, offset, RowOp::put, {integer(2), integer(-version), absent}));
        ++offset;
    }
    const auto folded = fold(rows, Mode::upsert_newer);
    ASSERT_EQ(folded.size(), 2u);
    EXPECT_EQ(folded[0].offset, Offset{3});
    EXPECT_EQ(folded[1].offset, Offset{2});
}

TEST(Folder, AnUpdateMakesNoRowBehindADelete) {
    TableRows rows;
    ASSERT_TRUE(append(rows, 1, RowOp::put, {integer(1), integer(10), absent}));
    ASSERT_TRUE(append(rows, 2, RowOp::del, {integer(1), absent, absent}));
    ASSERT_TRUE(append(rows, 3, RowOp::put, {integer(1), integer(11), absent}));
    const auto folded = fold(rows, Mode::update);
    ASSERT_EQ(folded.size(), 1u);
    EXPECT_EQ(folded[0].op, FoldedOp::remove);
}

TEST(Folder, AgreesWithANaiveModel) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    using Columns = std::pair<std::optional<std::int64_t>, std::optional<std::int64_t>>;
    for (int round = 0; round < 200; ++round) {
        // The table before the batch, and what applying each record one by one leaves of it.
        std::map<std::int64_t, Columns> before{{0, {100, 200}}, {1, {101, 201}}};
        std::map<std::int64_t, Columns> expected = before;
        TableRows rows;
        for (std::int64_t offset = 0; offset < 12; ++offset) {
            const auto key = static_cast<std::int64_t>(random() % 4);
            if (random() % 4 == 0) {
                ASSERT_TRUE(append(rows, offset, RowOp::del, {integer(key), absent, absent}));
                expected.erase(key);
                continue;
            }
            std::vector<Cell> cells{integer(key), absent, absent};
            auto& row = expected[key];
            if (random() % 2 == 0) {
                cells[1] = integer(offset);
                row.first = offset;
            }
            if (random() % 2 == 0) {
                cells[2] = integer(offset + 50);
                row.second = offset + 50;
            }
            ASSERT_TRUE(append(rows, offset, RowOp::put, cells));
        }
        auto table = before;
        for (const auto& row : fold(rows)) {
            const std::int64_t key = row.cells[0].bytes.back();
            if (row.op != FoldedOp::merge) {
                table.erase(key);
            }
            if (row.op == FoldedOp::remove) {
                continue;
            }
            auto& columns = table[key];
            if (row.cells[1].length != -2) {
                columns.first = row.cells[1].bytes.back();
            }
            if (row.cells[2].length != -2) {
                columns.second = row.cells[2].bytes.back();
            }
        }
        ASSERT_EQ(table, expected);
    }
}

// A piece of `partition` with a record at each of `offsets`.
Piece piece(std::int32_t partition, std::int64_t from, std::int64_t to,
            const std::vector<std::int64_t>& offsets) {
    Piece out{.partition = {"topic", PartitionId{partition}},
              .route = 0,
              .epoch = 1,
              .from = Offset{from},
              .to = Offset{to},
              .records = offsets.size(),
              .tables = std::vector<TableRows>(1)};
    for (const auto offset : offsets) {
        EXPECT_TRUE(
            append(out.tables[0], offset, RowOp::put, {integer(offset), integer(0), integer(0)}));
    }
    return out;
}

Batch sample_batch() {
    Batch batch(0);
    batch.add(piece(0, 10, 20, {10, 12, 19}));
    batch.add(piece(1, 5, 9, {}));  // Records without rows: their offsets advance all the same.
    batch.add(piece(0, 20, 22, {20, 21}));
    return batch;
}

std::vector<std::int64_t> offsets_in(const Batch& batch, const std::vector<Slice>& slices) {
    std::vector<std::int64_t> offsets;
    for (const auto& slice : slices) {
        const auto [first, last] = batch.rows(slice, 0);
        for (std::size_t i = first; i < last; ++i) {
            offsets.push_back(batch.pieces()[slice.piece].tables[0].rows[i].offset.value());
        }
    }
    return offsets;
}

TEST(Batch, WindowsCoverEveryRecordOnceAndTheirRangesMeet) {
    const Batch batch = sample_batch();
    ASSERT_EQ(batch.records(), 6u);
    for (std::size_t size = 1; size <= 6; ++size) {
        std::vector<std::int64_t> seen;
        std::map<PartitionId, Offset> next{{PartitionId{0}, Offset{10}},
                                           {PartitionId{1}, Offset{5}}};
        for (std::size_t first = 0; first < 6; first += size) {
            const auto slices = batch.slices({first, std::min(size, 6 - first)});
            const auto part = offsets_in(batch, slices);
            seen.insert(seen.end(), part.begin(), part.end());
            for (const auto& [range, topic_id] : batch.advances(slices)) {
                EXPECT_EQ(range.from, next[range.partition.partition]);
                next[range.partition.partition] = range.to;
            }
        }
        EXPECT_EQ(seen, (std::vector<std::int64_t>{10, 12, 19, 20, 21}));
        EXPECT_EQ(next[PartitionId{0}], Offset{22});
        EXPECT_EQ(next[PartitionId{1}], Offset{9});
    }
}

TEST(Batch, RecordNumbersAndOffsetsBelongTogether) {
    const Batch batch = sample_batch();
    EXPECT_EQ(batch.record_number(0, Offset{19}), 2u);
    EXPECT_EQ(batch.record_number(2, Offset{21}), 5u);
    EXPECT_EQ(batch.record_at(5), (std::pair<std::size_t, Offset>{2, Offset{21}}));
}

TEST(Batch, ARejectedRecordTakesItsPartitionFromThereOnWithIt) {
    Batch batch = sample_batch();
    batch.cut({"topic", PartitionId{0}}, Offset{12});
    const auto slices = batch.slices({0, batch.records()});
    EXPECT_EQ(offsets_in(batch, slices), std::vector<std::int64_t>{10});
    const auto advances = batch.advances(slices);
    ASSERT_EQ(advances.size(), 2u);
    EXPECT_EQ(advances[0].range.to, Offset{12});
    EXPECT_EQ(advances[1].range.to, Offset{9});
}

TEST(Batch, WhatIsCommittedIsDropped) {
    Batch batch = sample_batch();
    batch.drop_before(2);
    const auto slices = batch.slices({0, batch.records()});
    EXPECT_EQ(offsets_in(batch, slices), (std::vector<std::int64_t>{19, 20, 21}));
    EXPECT_EQ(batch.advances(slices)[0].range.from, Offset{19});
}

// The number of a record that is a witness, or may be tried as one.
TEST(Batch, OthersAreRecordsOfTheSameTable) {
    Batch batch(0);
    Piece two = piece(0, 10, 20, {10, 12, 19});
    two.tables.emplace_back();
    ASSERT_TRUE(append(two.tables[1], 14, RowOp::put, {integer(1), integer(0), integer(0)}));
    two.records = 4;
    batch.add(std::move(two));
    using Numbers = std::vector<std::size_t>;
    EXPECT_EQ(batch.others(0, 0, 1, 16), (Numbers{3, 0}));
    EXPECT_EQ(batch.others(0, 1, 3, 16), (Numbers{1}));
    EXPECT_EQ(batch.others(0, 0, 9, 2), (Numbers{3, 0}));
    EXPECT_EQ(batch.others(1, 0, 2, 16), Numbers{});
    EXPECT_TRUE(batch.has_rows_before(1, 0));
    EXPECT_FALSE(batch.has_rows_before(0, 0));
    EXPECT_FALSE(batch.has_rows_before(2, 1));
    EXPECT_TRUE(batch.has_rows_before(3, 1));
}

TEST(Batch, ADeadLetterTakesThePlaceOfItsRows) {
    for (const bool with_row : {true, false}) {
        Batch batch(0);
        Piece made = piece(0, 10, 20, {10, 12, 19});
        const std::vector<TableRows> tables{made.tables[0], TableRows{}};
        made.tables = tables;
        batch.add(std::move(made));
        TableRows letter;
        if (with_row) {
            ASSERT_TRUE(append(letter, 12, RowOp::put, {integer(7), absent, integer(8)}));
        }
        batch.bury(0, {Offset{12}, "database"}, letter);
        batch.bury(0, {Offset{10}, "map"}, TableRows{});
        const Piece& piece = batch.pieces()[0];
        EXPECT_EQ(batch.bytes(), piece.bytes());
        EXPECT_EQ(batch.records(), with_row ? 2U : 1U);
        EXPECT_EQ(offsets_in(batch, batch.slices({0, batch.records()})),
                  std::vector<std::int64_t>{19});
        EXPECT_EQ(piece.tables[0].row(0), tables[0].row(2));
        EXPECT_EQ(piece.tables[1].rows.size(), with_row ? 1U : 0U);
        if (with_row) {
            EXPECT_EQ(piece.tables[1].row(0), letter.row(0));
            EXPECT_EQ(piece.tables[1].absent_rows, 1U);
        }
        ASSERT_EQ(piece.letters.size(), 2U);
        EXPECT_EQ(piece.letters[0].offset, Offset{10});
        const auto advances = batch.advances(batch.slices({0, batch.records()}));
        ASSERT_EQ(advances.size(), 1U);
        EXPECT_EQ(advances[0].range, (OffsetRange{here, Offset{10}, Offset{20}}));
    }
}

// Also several letters of one piece, and rows around them on both sides.
TEST(Batch, LettersStandInLogOrderAmongTheirTablesRows) {
    Batch batch(0);
    batch.add(piece(0, 0, 10, {0, 1, 2, 3, 4}));
    for (const std::int64_t offset : {3, 1}) {
        TableRows letter;
        ASSERT_TRUE(append(letter, offset, RowOp::put, {integer(90 + offset), absent, absent}));
        batch.bury(0, {Offset{offset}, "database"}, letter);
    }
    const TableRows& rows = batch.pieces()[0].tables[0];
    std::vector<std::int64_t> ids;
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
        std::vector<EncodedCell> cells;
        split_row(rows.row(i), cells);
        ids.push_back(cells[0].bytes.back());
        EXPECT_EQ(rows.rows[i].offset, Offset{static_cast<std::int64_t>(i)});
    }
    EXPECT_EQ(ids, (std::vector<std::int64_t>{0, 91, 2, 93, 4}));
}

}  // namespace
}  // namespace sluice::postgres
