// A target resolved against the real table: which bind marker takes which cell.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/target.hpp"
#include "sinks/cassandra/schema.hpp"

namespace sluice::cassandra {

// Records of one Kafka partition that share a Cassandra partition of the zero-config table. One
// bucket of 200-byte events is about 1 MiB, far under the 100 MiB where Cassandra suffers, and
// polls of any usual size fall into one or two.
inline constexpr std::int64_t bucket_offsets = 4096;

enum class Fill : std::uint8_t {
    cell,    // The row's cell, read as the column's type.
    json,    // The row's cell, as JSON text.
    bucket,  // The record's offset / bucket_offsets.
};

// One bind marker of the INSERT, but for the last one, which takes the timestamp.
struct Bind {
    Column column;
    Fill fill = Fill::cell;
    std::size_t cell = 0;  // Index into the row's cells.
    bool operator==(const Bind&) const = default;
};

struct TablePlan {
    std::string name;  // As configured, for messages.
    Mode mode = Mode::append;
    std::vector<Bind> binds;  // Partition key, clustering columns, the rest.
    std::size_t partition_key_size = 0;
    std::size_t primary_key_size = 0;
    std::size_t cells = 0;  // Of a row of this target.
    std::string insert;     // Append and upsert are the same statement.
    std::string remove;     // Upsert only. Its first marker is the timestamp, then the key.
    bool dead_letters = false;
    // upsert_newer: the bind whose value is the write's timestamp, too.
    std::optional<std::size_t> version{};
    bool ttl = false;  // Before the timestamp stands a marker for the row's ttl.
};

// How the route reads its records; a zero-config table keeps JSON as it came.
struct Formats {
    Format key = Format::string;
    Format value = Format::json;
};

// Every problem that keeps `target` from being written to `table`, each an Error whose `where`
// is the column (or empty). Empty: it fits.
std::vector<Error> find_problems(const Target& target, const Table& table);

// The target with its columns filled in: given ones as they are; else by name (the zero-config
// names for an events table, `value.<column>` otherwise). A zero-config bucket is no column of
// the target: no path leads to it.
Target complete(const Target& target, const Table& table);
// `target` is complete and without problems.
TablePlan make_plan(const Target& target, const Table& table, Formats formats);

}  // namespace sluice::cassandra
