#include "sinks/postgres/rows.hpp"

#include <algorithm>

#include "base/big_endian.hpp"
#include "base/check.hpp"
#include "sinks/findings.hpp"
#include "sinks/postgres/encode.hpp"

namespace sluice::postgres {
namespace {

constexpr auto op = "postgres.encode";

Result<void> append_cell(const TablePlan& plan, std::size_t index, const Record& record,
                         const Row& row, TableRows& rows, bool& has_absent) {
    const Column& column = plan.columns[index];
    const Cell& cell = row.cells[index];
    if (cell.kind == CellKind::absent) {
        // A keyed row may be there already, and keep what it has.
        if (column.needs_value() && (!is_keyed(plan.mode) || index < plan.key_size)) {
            return rejected(op, record, plan.name, column.name,
                            "the field is missing, and the column is NOT NULL without a default",
                            "send the field, or give the column a default");
        }
        append_big_endian(rows.bytes, length_absent);
        has_absent = true;
        return {};
    }
    if (cell.kind == CellKind::null) {
        if (column.not_null) {
            return rejected(op, record, plan.name, column.name, "a null for a NOT NULL column",
                            "send a value, or drop the NOT NULL");
        }
        append_big_endian(rows.bytes, length_null);
        return {};
    }
    if (auto encoded = encode(column, cell, rows.bytes); !encoded) {
        return rejected(op, record, plan.name, column.name,
                        encoded.error().reason + " (the column is " + column.type_name + ")",
                        encoded.error().hint);
    }
    return {};
}

// Equal values, equal bytes: PostgreSQL calls 1.0 and 1.00, -0 and 0, 'a' and 'a ' equal, and
// would meet such a key twice in one statement.
void append_key_part(const Column& column, const EncodedCell& cell, std::string& key) {
    std::string bytes(cell.bytes.substr(4));
    switch (*column.type) {
        case Type::numeric:
            bytes[6] = bytes[7] = 0;  // The display scale.
            break;
        case Type::float4:
        case Type::float8: {
            const bool zero = (bytes[0] & 0x7f) == 0 && std::all_of(bytes.begin() + 1, bytes.end(),
                                                                    [](char c) { return c == 0; });
            if (zero) {
                bytes[0] = 0;
            }
            break;
        }
        case Type::bpchar:
            bytes.erase(bytes.find_last_not_of(' ') + 1);
            break;
        default:
            break;
    }
    append_big_endian(key, static_cast<std::uint32_t>(bytes.size()));
    key.append(bytes);
}

}  // namespace

std::string_view TableRows::row(std::size_t index) const { return span(index, index + 1); }

std::string_view TableRows::span(std::size_t first, std::size_t last) const {
    const auto begin_of = [this](std::size_t row) -> std::size_t {
        return row < rows.size() ? rows[row].begin : bytes.size();
    };
    return std::string_view(bytes).substr(begin_of(first), begin_of(last) - begin_of(first));
}

std::size_t Piece::bytes() const {
    std::size_t sum = sizeof(Piece) + kept.bytes() + letters.size() * sizeof(Letter);
    for (const auto& table : tables) {
        sum += table.bytes.size() + table.rows.size() * sizeof(RowRef);
    }
    return sum;
}

std::size_t Piece::rows() const {
    std::size_t sum = 0;
    for (const auto& table : tables) {
        sum += table.rows.size();
    }
    return sum;
}

Result<void> append_row(const TablePlan& plan, const Record& record, const Row& row,
                        TableRows& rows) {
    const bool truncate = row.op == RowOp::truncate;
    check(truncate || row.cells.size() == plan.columns.size(), "a row has a cell for each column");
    RowRef ref{.begin = static_cast<std::uint32_t>(rows.bytes.size()),
               .op = row.op,
               .has_absent = false,
               .offset = record.offset};
    append_big_endian(rows.bytes, static_cast<std::uint16_t>(row.cells.size()));
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
        if (auto ok = append_cell(plan, i, record, row, rows, ref.has_absent); !ok) {
            rows.bytes.resize(ref.begin);
            return ok;
        }
    }
    rows.rows.push_back(ref);
    rows.absent_rows += ref.has_absent ? 1 : 0;
    return {};
}

void split_row(std::string_view row, std::vector<EncodedCell>& cells) {
    const auto count = read_big_endian<std::uint16_t>(row.data());
    row.remove_prefix(2);
    cells.clear();
    for (std::uint16_t i = 0; i < count; ++i) {
        const auto length = read_big_endian<std::int32_t>(row.data());
        const std::size_t size = 4 + static_cast<std::size_t>(std::max(length, 0));
        cells.push_back({.length = length, .bytes = row.substr(0, size)});
        row.remove_prefix(size);
    }
}

namespace {

// Of two values of one type that check_version() lets through: big-endian, two's complement.
bool is_less(const EncodedCell& a, const EncodedCell& b) {
    constexpr std::size_t length = sizeof(std::int32_t);
    const auto sign = [](const EncodedCell& cell) {
        return static_cast<signed char>(cell.bytes[length]) < 0;
    };
    if (sign(a) != sign(b)) {
        return sign(a);
    }
    return a.bytes.substr(length) < b.bytes.substr(length);
}

}  // namespace

bool Folder::is_ignored(const FoldedRow& folded, RowOp op) const {
    if (op == RowOp::del) {
        return false;
    }
    switch (plan_.mode) {
        case Mode::insert_ignore:
            return folded.op != FoldedOp::remove;
        case Mode::update:
            return folded.op == FoldedOp::remove;
        case Mode::upsert_newer:
            return !is_less(folded.cells[plan_.version], cells_[plan_.version]);
        default:
            return false;
    }
}

void Folder::add(std::size_t piece, std::string_view row, const RowRef& ref) {
    if (ref.op == RowOp::truncate) {
        rows_.clear();
        by_key_.clear();
        truncates_ = true;
        return;
    }
    split_row(row, cells_);
    std::string key;
    for (std::size_t i = 0; i < plan_.key_size; ++i) {
        check(cells_[i].length >= 0, "a key cell has a value");
        append_key_part(plan_.columns[i], cells_[i], key);
    }
    const auto [entry, fresh] = by_key_.try_emplace(key, rows_.size());
    if (fresh) {
        rows_.push_back({.op = ref.op == RowOp::del ? FoldedOp::remove : FoldedOp::merge,
                         .key = std::move(key),
                         .cells = cells_,
                         .offset = ref.offset,
                         .piece = piece});
        return;
    }
    FoldedRow& folded = rows_[entry->second];
    if (is_ignored(folded, ref.op)) {
        return;
    }
    folded.shared = folded.shared || folded.offset != ref.offset || folded.piece != piece;
    folded.offset = ref.offset;
    folded.piece = piece;
    if (ref.op == RowOp::del) {
        folded.op = FoldedOp::remove;
        folded.cells = cells_;
        return;
    }
    if (folded.op == FoldedOp::remove) {
        folded.op = FoldedOp::replace;
        folded.cells = cells_;
        return;
    }
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        if (cells_[i].length != length_absent) {
            folded.cells[i] = cells_[i];
        }
    }
}

std::vector<FoldedRow> Folder::take() {
    std::ranges::sort(rows_, {}, &FoldedRow::key);
    by_key_.clear();
    return std::move(rows_);
}

}  // namespace sluice::postgres
