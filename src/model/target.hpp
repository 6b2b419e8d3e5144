// Where rows go and how their cells are found: the configuration's routes, resolved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/cell.hpp"
#include "model/event.hpp"

namespace sluice {

// One step into a JSON value: a member's name or an array index.
using PathStep = std::variant<std::string, std::uint32_t>;

enum class Source : std::uint8_t {
    value,
    key,
    header,  // `name` is the header's.
    meta_topic,
    meta_partition,
    meta_offset,
    meta_timestamp,
    meta_id,
    meta_item,  // Its number, from 0.
    item,       // An element of the array that Target::each leads to.
    constant,   // `name` is its text.
    mark,       // Of Target::deleted_column: false, but of what is deleted.
};

// `value.customer.name`, `key`, `headers.trace`, `meta.offset`.
struct Path {
    Source source = Source::value;
    std::string name;
    std::vector<PathStep> steps;
    std::string spelling;  // As the configuration has it, for messages.
};

// changes: the envelopes of Debezium, applied. insert_ignore: the first record of a key stays.
// upsert_newer: the one with the greatest version. update: never makes a row. remove: each record
// deletes.
enum class Mode : std::uint8_t {
    append,
    upsert,
    changes,
    insert_ignore,
    upsert_newer,
    update,
    remove,
};

// Rows are found again by the target's key.
constexpr bool is_keyed(Mode mode) { return mode != Mode::append; }
// A record may make a row that was not there.
constexpr bool makes_rows(Mode mode) { return mode != Mode::update && mode != Mode::remove; }

// What holds of a record: at each path one of the values. Strings are compared with their
// characters, numbers and booleans as they are written; `null` stands for nothing, too.
struct Condition {
    struct Term {
        Path path;
        std::vector<std::string> values;
        bool or_nothing = false;
    };
    std::vector<Term> terms;  // All of them hold.
};

// One of several tables that a field of the record chooses between.
struct Branch {
    Condition mine;    // The records of this table.
    Condition anyone;  // Those of all of these tables; others are rejected.
};

struct ColumnSource {
    std::string column;
    Path path;
    Reading reading;
    // The text of what stands for a value that is absent.
    std::optional<std::string> otherwise{};
};

// The default of Debezium's `unavailable.value.placeholder`.
inline constexpr std::string_view debezium_unavailable = "__debezium_unavailable_value";

// A table that is missing is made.
struct CreateTable {
    std::size_t sample = 1000;               // Records of the topics that its columns are found in.
    std::vector<std::string> partition_key;  // Cassandra; empty: the whole key.
};

// 20 years: Attributes.MAX_TTL in Cassandra.
inline constexpr std::int32_t ttl_s_max = 20 * 365 * 86'400;

// One table of one destination. `columns` are in the order in which rows carry their cells.
struct Target {
    std::string table;  // As configured: "public.orders"; empty means the zero-config events table.
    Mode mode = Mode::append;
    std::vector<ColumnSource> columns;  // Empty in the configuration: by name from the table.
    // Fills the table's other columns: the column's name is the path's last step.
    std::optional<Path> others;
    // Column names; not in append. In `changes` it may be empty: the table's primary key.
    std::vector<std::string> key;
    std::optional<std::int32_t> ttl_s;  // Cassandra: how long a row lives from its write on.
    std::optional<Path> ttl;            // Likewise: where that stands, in seconds.
    bool absent_is_null = false;        // `absent: null` instead of keeping the stored value.
    std::string version;                // upsert_newer: the column that says what is newer.
    // Records that are the target's at all, and those that delete their row.
    std::optional<Condition> when;
    std::optional<Condition> deleted;
    // What deletes only sets this column to true, and leaves the others as they are. It is among
    // the columns, with Source::mark.
    std::string deleted_column;
    std::optional<Branch> branch;
    // Where in the value an array stands, each of whose elements is a row.
    std::optional<Path> each;
    // What stands in the place of a value that the source did not send, so that what is stored
    // stays; in `changes` Debezium's where it is not said.
    std::optional<std::string> unavailable;
    std::optional<CreateTable> create;
    bool truncates = false;     // changes: the source's truncates are applied; else they stop.
    bool adds_columns = false;  // `evolve: add_columns`: for fields that schemas bring.
    // Takes the records that the route's other targets can't, and stands behind them; its rows
    // have the columns of model/dead_letter.hpp.
    bool dead_letters = false;
};

// Where the fields stand that fill columns by their names: `"*"`, else `value`, of change events
// `value.after`, with `each` the item.
Path fields_path(const Target& target);
// The target with the column that marks what is deleted, where it has one.
Target with_mark(Target target);
// `path`, one step further.
Path member_path(Path path, const std::string& name);

// Topics that are read alike and feed the same tables of one destination.
struct Route {
    std::vector<std::string> topics;
    Format key_format = Format::string;
    Format value_format = Format::json;
    DuplicateNames duplicate_names = DuplicateNames::refused;
    std::vector<Target> targets;
};

}  // namespace sluice
