// The pieces of one transaction, and windows over their records.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "model/ids.hpp"
#include "sinks/postgres/advance.hpp"
#include "sinks/postgres/protocol.hpp"
#include "sinks/postgres/rows.hpp"

namespace sluice::postgres {

// The records [from, to) of one piece.
struct Slice {
    std::size_t piece = 0;
    Offset from;
    Offset to;
};

// All pieces are of one route and encoded alike; pieces of one partition stand in log order,
// without gaps.
class Batch {
public:
    explicit Batch(std::uint32_t route) : route_(route) {}
    void add(Piece piece);

    [[nodiscard]] std::uint32_t route() const { return route_; }
    [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
    // Not of an empty batch.
    [[nodiscard]] const std::vector<TablePlan>& plans() const { return *pieces_.front().plans; }
    // Whether a piece may be added: it is encoded as the others are.
    [[nodiscard]] bool takes(const Piece& piece) const {
        return empty() || piece.plans == pieces_.front().plans;
    }
    // What follows in the queue is encoded otherwise: no more comes.
    void close() { closed_ = true; }
    [[nodiscard]] bool closed() const { return closed_; }
    [[nodiscard]] std::vector<Piece> take() && { return std::move(pieces_); }
    [[nodiscard]] bool empty() const { return pieces_.empty(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    // As the protocol counts them: a piece without rows counts as one.
    [[nodiscard]] std::size_t records() const;

    [[nodiscard]] std::vector<Slice> slices(const Window& window) const;
    // One a partition.
    [[nodiscard]] std::vector<Advance> advances(const std::vector<Slice>& slices) const;
    [[nodiscard]] std::vector<TopicPartition> partitions(const Window& window) const;
    // Rows of table `table` in a slice: [first, last).
    [[nodiscard]] std::pair<std::size_t, std::size_t> rows(const Slice& slice,
                                                           std::size_t table) const;
    // The number of the record at `offset` in piece `piece`, and back.
    [[nodiscard]] std::size_t record_number(std::size_t piece, Offset offset) const;
    [[nodiscard]] std::pair<std::size_t, Offset> record_at(std::size_t number) const;

    // True where the record is one already.
    [[nodiscard]] bool is_letter(std::size_t number) const;
    // True where a record before number `before` has a row of this table; without one, any that is
    // no dead letter.
    [[nodiscard]] bool has_rows_before(std::size_t before, std::optional<std::size_t> table) const;
    // At most `count` records from number `first` on that have a row of this table, likewise,
    // without `but`; spread over the batch, the last ones first.
    [[nodiscard]] std::vector<std::size_t> others(std::optional<std::size_t> table,
                                                  std::size_t first, std::size_t but,
                                                  std::size_t count) const;

    // The record at `offset` as it came; see KeptRecords.
    [[nodiscard]] KeptRecords::Kept kept(std::size_t piece, Offset offset);
    // Takes out the record's rows. `row` comes in their place, one of the last table or none.
    void bury(std::size_t piece, const Letter& letter, const TableRows& row);

    // Drops what this partition has from `offset` on.
    void cut(const TopicPartition& partition, Offset offset);
    // Drops the records of `done` windows: what is before `first`.
    void drop_before(std::size_t first);

private:
    // The numbers of the records that have a row of this table; without one, that have rows and
    // are no dead letters.
    [[nodiscard]] std::vector<std::size_t> with_rows(std::optional<std::size_t> table) const;

    std::uint32_t route_;
    std::vector<Piece> pieces_;
    std::size_t bytes_ = 0;
    bool closed_ = false;
};

}  // namespace sluice::postgres
