// Where rows go and how their cells are found: the configuration's routes, resolved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
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
};

// `value.customer.name`, `key`, `headers.trace`, `meta.offset`.
struct Path {
    Source source = Source::value;
    std::string name;
    std::vector<PathStep> steps;
    std::string spelling;  // As the configuration has it, for messages.
};

// changes: the envelopes of Debezium, applied.
enum class Mode : std::uint8_t { append, upsert, changes };

// Rows are found again by the target's key.
constexpr bool is_keyed(Mode mode) { return mode != Mode::append; }

struct ColumnSource {
    std::string column;
    Path path;
    Reading reading;
};

// One table of one destination. `columns` are in the order in which rows carry their cells.
struct Target {
    std::string table;  // As configured: "public.orders"; empty means the zero-config events table.
    Mode mode = Mode::append;
    std::vector<ColumnSource> columns;  // Empty in the configuration: by name from the table.
    // Fills the table's other columns: the column's name is the path's last step.
    std::optional<Path> others;
    // Column names; not in append. In `changes` it may be empty: the table's primary key.
    std::vector<std::string> key;
    bool absent_is_null = false;  // `absent: null` instead of keeping the stored value.
    // changes: what stands in the place of a value that the source did not send (Debezium's
    // `unavailable.value.placeholder`).
    std::string unavailable{"__debezium_unavailable_value"};
    // Takes the records that the route's other targets can't, and stands behind them; its rows
    // have the columns of model/dead_letter.hpp.
    bool dead_letters = false;
};

// Topics that are read alike and feed the same tables of one destination.
struct Route {
    std::vector<std::string> topics;
    Format key_format = Format::string;
    Format value_format = Format::json;
    DuplicateNames duplicate_names = DuplicateNames::refused;
    std::vector<Target> targets;
};

}  // namespace sluice
