// Encoded rows on their way from the lane's thread to a writer, and their folding by key.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "model/ids.hpp"
#include "model/record.hpp"
#include "model/row.hpp"
#include "sinks/dead_letters.hpp"
#include "sinks/postgres/plan.hpp"

namespace sluice::postgres {

// A row is stored as COPY BINARY has it: a 16-bit column count, then for each column a 32-bit
// length and the bytes. One thing is ours: the length -2 marks an absent cell; such a row is
// never sent as it stands.
struct RowRef {
    std::uint32_t begin = 0;  // In TableRows::bytes.
    RowOp op = RowOp::put;
    bool has_absent = false;
    Offset offset;
};

struct TableRows {
    std::string bytes;
    std::vector<RowRef> rows;     // In log order.
    std::size_t absent_rows = 0;  // How many of them have an absent cell.

    [[nodiscard]] std::string_view row(std::size_t index) const;
    // The bytes of rows [first, last).
    [[nodiscard]] std::string_view span(std::size_t first, std::size_t last) const;
};

// Of one route, by target: how its rows are encoded. Never changed; a table that gets columns has
// new ones from then on.
using TablePlans = std::shared_ptr<const std::vector<TablePlan>>;

// What one poll brought of one partition, for all tables of its route.
struct Piece {
    TopicPartition partition;
    Uuid topic_id{};  // For those that move the progress.
    std::uint32_t route = 0;
    TablePlans plans{};
    std::uint64_t epoch = 0;  // Of the acquisition that it belongs to.
    Offset from;              // Where the piece before it ended.
    Offset to;                // Behind the last record delivered.
    std::size_t records = 0;  // Those that gave rows.
    std::vector<TableRows> tables;
    std::vector<Letter> letters{};  // In log order.
    KeptRecords kept{};             // What may still become one, where there are dead letters.

    [[nodiscard]] std::size_t bytes() const;
    [[nodiscard]] std::size_t rows() const;
};

// Appends one row. On failure `rows` is as it was, and the error names record and column.
Result<void> append_row(const TablePlan& plan, const Record& record, const Row& row,
                        TableRows& rows);

// The cells of an encoded row, one view each; `absent` and null are told apart by `length`.
struct EncodedCell {
    std::int32_t length = 0;
    std::string_view bytes;  // Length and value, as stored.
};
void split_row(std::string_view row, std::vector<EncodedCell>& cells);

// What a batch leaves of one key.
enum class FoldedOp : std::uint8_t {
    merge,    // Insert, or update the columns that are present.
    replace,  // The row was deleted first: what is absent takes its default.
    remove,
};
struct FoldedRow {
    FoldedOp op = FoldedOp::merge;
    std::string key;                 // Equal keys have equal bytes; sorted by it.
    std::vector<EncodedCell> cells;  // Views into the pieces.
    Offset offset;                   // Of the last record that touched the key.
    bool shared = false;             // Several did.
    std::size_t piece = 0;           // Which piece that record is in.
};

// Rows of several pieces, in their order, down to one a key. Later cells win, absent ones leave
// what an earlier record of the batch said; in insert_ignore the first row stays, in upsert_newer
// the one with the greatest version, of equal ones the first. Sorted by key, so that two writers
// lock in one order. A truncate forgets what came before it.
class Folder {
public:
    explicit Folder(const TablePlan& plan) : plan_(plan) {}
    void add(std::size_t piece, std::string_view row, const RowRef& ref);
    [[nodiscard]] std::vector<FoldedRow> take();
    // The table is emptied before the rows are written.
    [[nodiscard]] bool truncates() const { return truncates_; }

private:
    // Whether the row of cells_ changes nothing that `folded` leaves.
    [[nodiscard]] bool is_ignored(const FoldedRow& folded, RowOp op) const;

    const TablePlan& plan_;
    std::vector<FoldedRow> rows_;
    std::unordered_map<std::string, std::size_t> by_key_;
    std::vector<EncodedCell> cells_;
    bool truncates_ = false;
};

}  // namespace sluice::postgres
