#include "sinks/cassandra/chunk.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/check.hpp"
#include "sinks/findings.hpp"

namespace sluice::cassandra {
namespace {

constexpr std::size_t slots_min = 64;
constexpr std::size_t slots_kept_max = 4096;
// What an emptied chunk may keep for its next life.
constexpr std::size_t kept_bytes_max = 4u << 20;

std::uint64_t hash_key(std::uint32_t table, std::string_view key) {
    return std::hash<std::string_view>{}(key) ^ (std::uint64_t{table} * 0x9e37'79b9'7f4a'7c15u);
}

}  // namespace

void Chunk::start(std::uint64_t id, std::uint32_t route) {
    id_ = id;
    route_ = route;
    if (cells_.capacity() > kept_bytes_max) {
        cells_ = {};
        rows_ = {};
        groups_ = {};
        slots_ = {};
        wire_ = {};
        listed_ = {};
    }
    item_keys_.clear();
    cells_.clear();
    rows_.clear();
    pieces_.clear();
    last_groups_.clear();
    groups_.clear();
    slots_.assign(std::clamp(slots_.size(), slots_min, slots_kept_max), none);
    slots_used_ = 0;
    wire_.clear();
    listed_.clear();
}

std::uint32_t Chunk::add_piece(const TopicPartition& partition, Offset from) {
    pieces_.push_back({.partition = &partition, .from = from, .to = from});
    last_groups_.push_back(none);
    return static_cast<std::uint32_t>(pieces_.size() - 1);
}

bool Chunk::has_live() const { return std::ranges::any_of(pieces_, &Piece::live); }

Result<void> Chunk::add(std::uint32_t piece, std::uint32_t table, std::uint32_t statement,
                        const TablePlan& plan, const Record& record, ClockMicros clock,
                        const Row& row) {
    const std::size_t begin = cells_.size();
    SLUICE_ASSIGN(const EncodedRow encoded, append_row(plan, record, clock, row, cells_));
    if (row.item && plan.mode != Mode::remove && !plan.version) {
        auto noted = note_item(
            piece, table, plan, record,
            std::string_view(cells_).substr(begin + encoded.key_begin, encoded.primary_key_size));
        if (!noted) {
            cells_.resize(begin);
            return noted;
        }
    }
    const std::size_t bytes = cells_.size() - begin;
    const auto index = static_cast<std::uint32_t>(rows_.size());
    const auto group = group_for(piece, table, begin + encoded.key_begin, encoded.key_size, bytes);
    rows_.push_back({.begin = begin,
                     .offset = record.offset,
                     .clock = clock,
                     .bytes = static_cast<std::uint32_t>(bytes),
                     .statement = statement,
                     .piece = piece,
                     .group = group,
                     .previous = groups_[group].last,
                     .open = true,
                     .letter = plan.dead_letters});
    groups_[group].last = index;
    groups_[group].bytes += bytes;
    ++groups_[group].rows;
    last_groups_[piece] = group;
    pieces_[piece].rows += plan.dead_letters ? 0 : 1;
    ++pieces_[piece].open;
    return {};
}

Result<void> Chunk::note_item(std::uint32_t piece, std::uint32_t table, const TablePlan& plan,
                              const Record& record, std::string_view primary_key) {
    if (item_record_ != std::pair{piece, record.offset}) {
        item_keys_.clear();
        item_record_ = {piece, record.offset};
    }
    if (!item_keys_.emplace(table, primary_key).second) {
        return rejected("cassandra.item", record, plan.name, {},
                        "another item of the record has the same primary key",
                        "make `meta.item` a part of the key, or choose another key");
    }
    return {};
}

void Chunk::roll_back(std::uint32_t piece, Offset offset) {
    item_keys_.clear();
    while (!rows_.empty() && rows_.back().piece == piece && rows_.back().offset == offset) {
        const RowRef& row = rows_.back();
        Group& group = groups_[row.group];
        group.last = row.previous;
        group.bytes -= row.bytes;
        --group.rows;
        pieces_[piece].rows -= row.letter ? 0 : 1;
        --pieces_[piece].open;
        // A group that lost its first row would look for its key in bytes that are gone: it takes
        // no further rows, and without rows nothing is sent of it.
        if (group.last == none) {
            group.rows = static_cast<std::uint32_t>(group_rows_max);
        }
        last_groups_[piece] = none;
        cells_.resize(row.begin);
        rows_.pop_back();
    }
}

// Finds the group of the key, or opens one where there is none with room.
std::uint32_t Chunk::group_for(std::uint32_t piece, std::uint32_t table, std::size_t key_begin,
                               std::size_t key_size, std::size_t row_bytes) {
    const auto key = std::string_view(cells_).substr(key_begin, key_size);
    const auto has_room = [&](const Group& group) {
        return group.rows < group_rows_max && group.bytes + row_bytes <= group_bytes_max;
    };
    // Records of one Kafka partition come in runs, and in the zero-config table a run is one
    // partition of Cassandra.
    const std::uint32_t last = last_groups_[piece];
    std::uint64_t hash = 0;
    if (last != none && groups_[last].table == table && key_of(groups_[last]) == key) {
        if (has_room(groups_[last])) {
            return last;
        }
        hash = groups_[last].hash;
    } else {
        hash = hash_key(table, key);
    }
    std::uint32_t& slot = slot_for(table, key, hash);
    if (slot != none && has_room(groups_[slot])) {
        return slot;
    }
    const auto fresh = static_cast<std::uint32_t>(groups_.size());
    slots_used_ += slot == none ? 1 : 0;
    slot = fresh;
    groups_.push_back({.key_begin = key_begin,
                       .key_size = static_cast<std::uint32_t>(key_size),
                       .table = table,
                       .hash = hash});
    if (slots_used_ * 2 > slots_.size()) {
        grow_slots();
    }
    return fresh;
}

std::uint32_t& Chunk::slot_for(std::uint32_t table, std::string_view key, std::uint64_t hash) {
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at] != none) {
        const Group& group = groups_[slots_[at]];
        // An emptied group's key may lie behind the end: it has no rows, and matches nothing.
        if (group.last != none && group.hash == hash && group.table == table &&
            key_of(group) == key) {
            break;
        }
        at = (at + 1) & (slots_.size() - 1);
    }
    return slots_[at];
}

void Chunk::grow_slots() {
    const auto old = std::exchange(slots_, std::vector<std::uint32_t>(slots_.size() * 2, none));
    for (const std::uint32_t group : old) {
        if (group == none) {
            continue;
        }
        std::size_t at = groups_[group].hash & (slots_.size() - 1);
        while (slots_[at] != none) {
            at = (at + 1) & (slots_.size() - 1);
        }
        slots_[at] = group;
    }
}

void Chunk::list(bool alone) {
    wire_.clear();
    listed_.clear();
    requests_ = 0;
    for (const Group& group : groups_) {
        bool fresh = true;
        for (std::uint32_t i = group.last; i != none; i = rows_[i].previous) {
            if (!is_open(i)) {
                continue;
            }
            requests_ += fresh || alone ? 1 : 0;
            fresh = false;
            list(i);
        }
    }
    if (alone) {
        list_witnesses();
    }
}

void Chunk::list(std::uint32_t row) {
    wire_.push_back({.statement = rows_[row].statement,
                     .group = static_cast<std::uint32_t>(requests_),
                     .cells_offset = rows_[row].begin,
                     .cells_size = rows_[row].bytes});
    listed_.push_back(row);
}

void Chunk::list_witnesses() {
    std::set<std::uint32_t> wanted;
    for (const std::uint32_t row : listed_) {
        wanted.insert(rows_[row].statement);
    }
    for (std::uint32_t row = 0; row < rows_.size() && !wanted.empty(); ++row) {
        if (rows_[row].passed && wanted.erase(rows_[row].statement) > 0) {
            ++requests_;
            list(row);
        }
    }
}

bool Chunk::is_open(std::uint32_t row) const {
    return rows_[row].open && pieces_[rows_[row].piece].live;
}

void Chunk::settle(std::uint32_t row) {
    if (rows_[row].open) {
        rows_[row].open = false;
        rows_[row].passed = true;
        --pieces_[rows_[row].piece].open;
    }
}

void Chunk::forget(std::uint32_t piece, Offset offset) {
    for (RowRef& row : rows_) {
        if (row.piece == piece && row.offset == offset && row.open) {
            row.open = false;
            --pieces_[piece].open;
            --pieces_[piece].rows;
        }
    }
}

void Chunk::cut(std::uint32_t piece, Offset offset) {
    Piece& cut = pieces_[piece];
    if (!cut.live || cut.to <= offset) {
        return;
    }
    if (cut.from >= offset) {
        cut.live = false;
        return;
    }
    cut.to = offset;
    std::erase_if(cut.letters, [&](const Letter& letter) { return letter.offset >= offset; });
    for (RowRef& row : rows_) {
        if (row.piece == piece && row.offset >= offset) {
            // What was forgotten is not counted any more.
            cut.rows -= (row.open || row.passed) && !row.letter ? 1 : 0;
            cut.open -= row.open ? 1 : 0;
            row.open = false;
            row.passed = false;
        }
    }
}

}  // namespace sluice::cassandra
