// What Cassandra's schema says of a table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sinks/cassandra/session.hpp"

namespace sluice::cassandra {

// The types that this program encodes.
enum class Type : std::uint8_t {
    boolean,
    tinyint,
    smallint,
    int32,
    bigint,
    float32,
    float64,
    decimal,
    text,
    ascii,
    blob,
    date,
    timestamp,
    uuid,
    timeuuid,
    time,
    duration,
    varint,
    list,  // Frozen.
    set,
};
inline constexpr std::string_view supported_types =
    "boolean, tinyint, smallint, int, bigint, float, double, decimal, text, ascii, blob, date, "
    "timestamp, uuid, timeuuid, time, duration, varint, set<…> and frozen<list<…>> of these";

enum class ColumnKind : std::uint8_t { partition_key, clustering, static_column, regular };

struct Column {
    std::string name;
    std::string type_name;       // As Cassandra prints it: "map<text, int>".
    std::optional<Type> type{};  // Nothing: not supported.
    ColumnKind kind = ColumnKind::regular;
    std::int32_t position = -1;     // Among the columns of its kind; keys only.
    std::vector<Column> element{};  // Of a list or set: one.
    bool operator==(const Column&) const = default;

    [[nodiscard]] bool is_key() const {
        return kind == ColumnKind::partition_key || kind == ColumnKind::clustering;
    }
    [[nodiscard]] bool is_counter() const { return type_name == "counter"; }
};

struct Table {
    std::string keyspace;
    std::string name;
    // Partition key in its order, then clustering columns in theirs, then the rest by name.
    std::vector<Column> columns;

    [[nodiscard]] std::string quoted() const;  // "shop"."orders"
    [[nodiscard]] const Column* find(std::string_view column) const;
};

// A table's keyspace and name, spelled exactly.
struct TableName {
    std::string keyspace;
    std::string table;
};
// `name` is "table", in `keyspace`, or "keyspace.table".
TableName split_name(std::string_view name, std::string_view keyspace);

// Sets `type`, and `element`, by `type_name` as system_schema.columns has it. A list that is not
// frozen has none: its elements get ids from the server, so that a replay would double them.
void set_type(Column& column);

// Nothing if there is none.
Result<std::optional<Table>> read_table(Session& session, const TableName& name, Deadline deadline);
// Whether the table has a row; `column` is one of its key, `condition` may be a WHERE clause on
// its partition key.
Result<bool> has_rows(Session& session, const std::string& quoted_table, std::string_view column,
                      const std::string& condition, Deadline deadline);
Result<bool> has_keyspace(Session& session, std::string_view keyspace, Deadline deadline);

// True unless the server says that `role` lacks the permission ("SELECT", "MODIFY") on the table,
// or may not create tables in the keyspace (without one: create keyspaces). A server without
// authorization, and one that does not tell, say nothing.
Result<bool> may_use(Session& session, std::string_view permission, const Table& table,
                     std::string_view role, Deadline deadline);
Result<bool> may_create(Session& session, std::optional<std::string_view> keyspace,
                        std::string_view role, Deadline deadline);

}  // namespace sluice::cassandra
