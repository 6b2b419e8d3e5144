#include "sinks/postgres/batch.hpp"

#include <algorithm>
#include <iterator>

#include "base/check.hpp"

namespace sluice::postgres {
namespace {

std::size_t weight(const Piece& piece) { return std::max<std::size_t>(piece.records, 1); }

// The offsets of the piece's records that gave rows, ascending.
std::vector<Offset> record_offsets(const Piece& piece) {
    std::vector<Offset> offsets;
    for (const auto& table : piece.tables) {
        for (const auto& row : table.rows) {
            offsets.push_back(row.offset);
        }
    }
    std::ranges::sort(offsets);
    const auto repeated = std::ranges::unique(offsets);
    offsets.erase(repeated.begin(), repeated.end());
    if (offsets.empty()) {
        offsets.push_back(piece.from);
    }
    return offsets;
}

std::size_t first_row(const TableRows& table, Offset offset) {
    const auto at = std::ranges::lower_bound(table.rows, offset, {}, &RowRef::offset);
    return static_cast<std::size_t>(at - table.rows.begin());
}

bool has_row(const TableRows& table, Offset offset) {
    const std::size_t first = first_row(table, offset);
    return first < table.rows.size() && table.rows[first].offset == offset;
}

bool has_letter(const Piece& piece, Offset offset) {
    return std::ranges::binary_search(piece.letters, offset, {}, &Letter::offset);
}

// Keeps the rows of [from, to).
void keep(Piece& piece, Offset from, Offset to) {
    for (auto& table : piece.tables) {
        const std::size_t first = first_row(table, from);
        const std::size_t last = first_row(table, to);
        TableRows kept;
        kept.bytes = std::string(table.span(first, last));
        const std::uint32_t shift = first < table.rows.size() ? table.rows[first].begin : 0;
        for (std::size_t i = first; i < last; ++i) {
            RowRef ref = table.rows[i];
            ref.begin -= shift;
            kept.absent_rows += ref.has_absent ? 1 : 0;
            kept.rows.push_back(ref);
        }
        table = std::move(kept);
    }
    piece.from = from;
    piece.to = to;
    piece.records = piece.rows() == 0 ? 0 : record_offsets(piece).size();
}

// `row` is one row; those of its offset are not there.
void insert(TableRows& table, const TableRows& row) {
    const std::size_t at = first_row(table, row.rows.front().offset);
    const std::size_t begin = at < table.rows.size() ? table.rows[at].begin : table.bytes.size();
    table.bytes.insert(begin, row.bytes);
    RowRef ref = row.rows.front();
    ref.begin = static_cast<std::uint32_t>(begin);
    table.rows.insert(table.rows.begin() + static_cast<std::ptrdiff_t>(at), ref);
    for (std::size_t i = at + 1; i < table.rows.size(); ++i) {
        table.rows[i].begin += static_cast<std::uint32_t>(row.bytes.size());
    }
    table.absent_rows += row.absent_rows;
}

void erase(TableRows& table, Offset offset) {
    const std::size_t first = first_row(table, offset);
    const std::size_t last = first_row(table, offset.next());
    const auto size = static_cast<std::uint32_t>(table.span(first, last).size());
    if (first == last) {
        return;
    }
    table.bytes.erase(table.rows[first].begin, size);
    for (std::size_t i = first; i < last; ++i) {
        table.absent_rows -= table.rows[i].has_absent ? 1 : 0;
    }
    const auto begin = table.rows.begin();
    table.rows.erase(begin + static_cast<std::ptrdiff_t>(first),
                     begin + static_cast<std::ptrdiff_t>(last));
    for (std::size_t i = first; i < table.rows.size(); ++i) {
        table.rows[i].begin -= size;
    }
}

}  // namespace

void Batch::add(Piece piece) {
    check(piece.route == route_, "a batch is of one route");
    bytes_ += piece.bytes();
    pieces_.push_back(std::move(piece));
}

std::size_t Batch::records() const {
    std::size_t sum = 0;
    for (const auto& piece : pieces_) {
        sum += weight(piece);
    }
    return sum;
}

std::vector<Slice> Batch::slices(const Window& window) const {
    std::vector<Slice> slices;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
        const Piece& piece = pieces_[i];
        const std::size_t end = begin + weight(piece);
        const std::size_t first = std::max(begin, window.first);
        const std::size_t last = std::min(end, window.first + window.count);
        if (first < last) {
            Slice slice{.piece = i, .from = piece.from, .to = piece.to};
            if (first != begin || last != end) {
                const auto offsets = record_offsets(piece);
                slice.from = first == begin ? piece.from : offsets[first - begin];
                slice.to = last == end ? piece.to : offsets[last - begin];
            }
            slices.push_back(slice);
        }
        begin = end;
    }
    return slices;
}

std::vector<Advance> Batch::advances(const std::vector<Slice>& slices) const {
    std::vector<Advance> advances;
    for (const auto& slice : slices) {
        const Piece& piece = pieces_[slice.piece];
        const auto known = std::ranges::find_if(advances, [&](const Advance& advance) {
            return advance.range.partition == piece.partition;
        });
        if (known == advances.end()) {
            advances.push_back(
                {.range = {piece.partition, slice.from, slice.to}, .topic_id = piece.topic_id});
        } else {
            check(known->range.to == slice.from, "pieces of a partition leave no gap");
            known->range.to = slice.to;
        }
    }
    return advances;
}

std::vector<TopicPartition> Batch::partitions(const Window& window) const {
    std::vector<TopicPartition> partitions;
    for (const auto& advance : advances(slices(window))) {
        partitions.push_back(advance.range.partition);
    }
    return partitions;
}

std::pair<std::size_t, std::size_t> Batch::rows(const Slice& slice, std::size_t table) const {
    const Piece& piece = pieces_[slice.piece];
    const TableRows& rows = piece.tables[table];
    if (slice.from == piece.from && slice.to == piece.to) {
        return {0, rows.rows.size()};
    }
    return {first_row(rows, slice.from), first_row(rows, slice.to)};
}

std::size_t Batch::record_number(std::size_t piece, Offset offset) const {
    std::size_t number = 0;
    for (std::size_t i = 0; i < piece; ++i) {
        number += weight(pieces_[i]);
    }
    const auto offsets = record_offsets(pieces_[piece]);
    const auto at = std::ranges::lower_bound(offsets, offset);
    return number + static_cast<std::size_t>(at - offsets.begin());
}

std::pair<std::size_t, Offset> Batch::record_at(std::size_t number) const {
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
        if (number < weight(pieces_[i])) {
            return {i, record_offsets(pieces_[i])[number]};
        }
        number -= weight(pieces_[i]);
    }
    check(false, "the batch has that record");
    return {};
}

bool Batch::is_letter(std::size_t number) const {
    const auto [index, offset] = record_at(number);
    return has_letter(pieces_[index], offset);
}

std::vector<std::size_t> Batch::with_rows(std::optional<std::size_t> table) const {
    std::vector<std::size_t> all;
    std::size_t begin = 0;
    for (const Piece& piece : pieces_) {
        const auto offsets = record_offsets(piece);
        for (std::size_t i = 0; i < offsets.size(); ++i) {
            const bool has = table ? has_row(piece.tables[*table], offsets[i])
                                   : piece.rows() > 0 && !has_letter(piece, offsets[i]);
            if (has) {
                all.push_back(begin + i);
            }
        }
        begin += weight(piece);
    }
    return all;
}

bool Batch::has_rows_before(std::size_t before, std::optional<std::size_t> table) const {
    const auto all = with_rows(table);
    return !all.empty() && all.front() < before;
}

std::vector<std::size_t> Batch::others(std::optional<std::size_t> table, std::size_t first,
                                       std::size_t but, std::size_t count) const {
    auto all = with_rows(table);
    std::erase_if(all, [&](std::size_t number) { return number < first || number == but; });
    std::vector<std::size_t> spread;
    for (std::size_t left = std::min(count, all.size()); left > 0; --left) {
        spread.push_back(all[left * all.size() / std::min(count, all.size()) - 1]);
    }
    return spread;
}

KeptRecords::Kept Batch::kept(std::size_t piece, Offset offset) {
    return pieces_[piece].kept.find(pieces_[piece].partition, offset);
}

void Batch::bury(std::size_t index, const Letter& letter, const TableRows& row) {
    Piece& piece = pieces_[index];
    bytes_ -= piece.bytes();
    for (auto& table : piece.tables) {
        erase(table, letter.offset);
    }
    if (!row.rows.empty()) {
        insert(piece.tables.back(), row);
    }
    piece.letters.insert(
        std::ranges::upper_bound(piece.letters, letter.offset, {}, &Letter::offset), letter);
    piece.records = piece.rows() == 0 ? 0 : record_offsets(piece).size();
    bytes_ += piece.bytes();
}

void Batch::cut(const TopicPartition& partition, Offset offset) {
    std::vector<Piece> kept;
    bytes_ = 0;
    for (auto& piece : pieces_) {
        if (piece.partition == partition) {
            if (piece.from >= offset) {
                continue;
            }
            if (piece.to > offset) {
                keep(piece, piece.from, offset);
            }
        }
        bytes_ += piece.bytes();
        kept.push_back(std::move(piece));
    }
    pieces_ = std::move(kept);
}

void Batch::drop_before(std::size_t first) {
    if (first == 0) {
        return;
    }
    const auto left = slices({.first = first, .count = records() - first});
    std::vector<Piece> kept;
    bytes_ = 0;
    for (const auto& slice : left) {
        Piece& piece = pieces_[slice.piece];
        if (slice.from != piece.from) {
            keep(piece, slice.from, slice.to);
        }
        bytes_ += piece.bytes();
        kept.push_back(std::move(piece));
    }
    pieces_ = std::move(kept);
}

}  // namespace sluice::postgres
