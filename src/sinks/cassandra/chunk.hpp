// The encoded rows of one poll, or of several that waited together, for one route: what one
// write of the driver sends. Rows of one Cassandra partition are found while they are added and
// leave as one batch; their order does not matter, since each carries its own timestamp.
//
// The lane's thread owns it. While it is under way the driver reads cells() and wire(), which
// nothing here changes then.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/ids.hpp"
#include "sinks/cassandra/bridge.hpp"
#include "sinks/cassandra/rows.hpp"
#include "sinks/dead_letters.hpp"

namespace sluice::cassandra {

// Measured (see README.md): larger batches are no faster, and cost the server more at once.
inline constexpr std::size_t group_bytes_max = 32u << 10;
inline constexpr std::size_t group_rows_max = 500;

// What a chunk holds of one Kafka partition: its records [from, to).
struct Piece {
    const TopicPartition* partition = nullptr;  // Outlives the chunk.
    Offset from;
    Offset to;
    std::size_t rows = 0;
    std::size_t open = 0;           // Rows that are not durable yet.
    bool live = true;               // False: durable and reported, or dropped.
    std::vector<Letter> letters{};  // In log order.
    KeptRecords kept{};             // What may still become one, where there are dead letters.
};

class Chunk {
public:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

    // Empties it for a new life; memory is kept, up to a bound.
    void start(std::uint64_t id, std::uint32_t route);

    [[nodiscard]] std::uint64_t id() const { return id_; }
    [[nodiscard]] std::uint32_t route() const { return route_; }
    [[nodiscard]] std::size_t bytes() const {
        std::size_t kept = 0;
        for (const auto& piece : pieces_) {
            kept += piece.kept.bytes();
        }
        return kept + cells_.size() + rows_.size() * (sizeof(RowRef) + sizeof(SlcRow));
    }
    [[nodiscard]] std::size_t rows() const { return rows_.size(); }

    std::uint32_t add_piece(const TopicPartition& partition, Offset from);
    [[nodiscard]] std::vector<Piece>& pieces() { return pieces_; }
    [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
    [[nodiscard]] bool has_live() const;

    // `table` tells apart the tables of a session, `statement` indexes its statements. Rejects the
    // second of two items of a record with one primary key: all rows of a record have one
    // timestamp, so that none of them would be the last.
    Result<void> add(std::uint32_t piece, std::uint32_t table, std::uint32_t statement,
                     const TablePlan& plan, const Record& record, ClockMicros clock,
                     const Row& row);
    // Forgets the rows of a record that were added last.
    void roll_back(std::uint32_t piece, Offset offset);

    // Lists what is open for the driver; with `alone` no row shares its request with another, and
    // of each statement one that has passed goes along (written twice is once): its answer tells
    // whether it is the table that refuses the others.
    void list(bool alone);
    [[nodiscard]] std::string_view cells() const { return cells_; }
    [[nodiscard]] const std::vector<SlcRow>& wire() const { return wire_; }
    [[nodiscard]] std::size_t requests() const { return requests_; }  // That wire() comes to.

    // Of a row of wire().
    [[nodiscard]] std::uint32_t row_at(std::size_t wire_index) const { return listed_[wire_index]; }
    [[nodiscard]] bool is_open(std::uint32_t row) const;
    [[nodiscard]] bool has_passed(std::uint32_t row) const { return rows_[row].passed; }
    [[nodiscard]] std::uint32_t statement_of(std::uint32_t row) const {
        return rows_[row].statement;
    }
    [[nodiscard]] std::uint32_t piece_of(std::uint32_t row) const { return rows_[row].piece; }
    [[nodiscard]] Offset offset_of(std::uint32_t row) const { return rows_[row].offset; }
    [[nodiscard]] ClockMicros clock_of(std::uint32_t row) const { return rows_[row].clock; }
    [[nodiscard]] bool is_letter(std::uint32_t row) const { return rows_[row].letter; }
    void settle(std::uint32_t row);  // It has passed.
    // Forgets the rows of a record that are not durable: it becomes a dead letter.
    void forget(std::uint32_t piece, Offset offset);
    // The piece ends before `offset`; its rows from there on are forgotten.
    void cut(std::uint32_t piece, Offset offset);

private:
    struct RowRef {
        std::uint64_t begin = 0;  // In cells_.
        Offset offset;
        ClockMicros clock;
        std::uint32_t bytes = 0;
        std::uint32_t statement = 0;
        std::uint32_t piece = 0;
        std::uint32_t group = 0;
        std::uint32_t previous = none;  // In its group.
        bool open = true;
        bool passed = false;
        bool letter = false;
    };
    struct Group {
        std::uint64_t key_begin = 0;  // In cells_.
        std::uint32_t key_size = 0;
        std::uint32_t table = 0;
        std::uint64_t hash = 0;
        std::uint32_t last = none;  // Its rows, from the last backwards.
        std::uint32_t rows = 0;
        std::size_t bytes = 0;
    };

    [[nodiscard]] std::string_view key_of(const Group& group) const {
        return std::string_view(cells_).substr(group.key_begin, group.key_size);
    }
    Result<void> note_item(std::uint32_t piece, std::uint32_t table, const TablePlan& plan,
                           const Record& record, std::string_view primary_key);
    std::uint32_t group_for(std::uint32_t piece, std::uint32_t table, std::size_t key_begin,
                            std::size_t key_size, std::size_t row_bytes);
    std::uint32_t& slot_for(std::uint32_t table, std::string_view key, std::uint64_t hash);
    void grow_slots();
    void list(std::uint32_t row);
    void list_witnesses();

    std::uint64_t id_ = 0;
    std::uint32_t route_ = 0;
    // The primary keys of a record's items, by table; of the record that was added last.
    std::set<std::pair<std::uint32_t, std::string>, std::less<>> item_keys_;
    std::pair<std::uint32_t, Offset> item_record_;  // Its piece and offset.
    std::string cells_;
    std::vector<RowRef> rows_;
    std::vector<Piece> pieces_;
    std::vector<std::uint32_t> last_groups_;  // By piece: the group of its last row.
    std::vector<Group> groups_;
    std::vector<std::uint32_t> slots_;  // Open addressing: groups by table and key.
    std::size_t slots_used_ = 0;
    std::vector<SlcRow> wire_;
    std::vector<std::uint32_t> listed_;  // Row of each entry of wire_.
    std::size_t requests_ = 0;
};

}  // namespace sluice::cassandra
