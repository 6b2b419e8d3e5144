// What PostgreSQL's catalog says of a table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sinks/postgres/connection.hpp"

namespace sluice::postgres {

// The types that this program encodes; a domain counts as its base type.
enum class Type : std::uint8_t {
    boolean,
    int2,
    int4,
    int8,
    float4,
    float8,
    numeric,
    text,
    varchar,
    bpchar,
    bytea,
    date,
    timestamp,
    timestamptz,
    uuid,
    json,
    jsonb,
    time,
    timetz,
    interval,
    bit,
    varbit,
    point,
    xml,
    enumeration,
    array,
};
inline constexpr std::string_view supported_types =
    "boolean, smallint, integer, bigint, real, double precision, numeric, text, varchar, char, "
    "bytea, date, timestamp, timestamptz, time, timetz, interval, uuid, json, jsonb, bit, varbit, "
    "point, xml, enums, and arrays of these";

struct Column {
    std::string name;
    std::string type_name;       // As PostgreSQL prints it: "character varying(10)".
    std::optional<Type> type{};  // Nothing: not supported.
    std::int32_t modifier = -1;  // pg_attribute.atttypmod: length or precision and scale.
    bool not_null = false;
    bool has_default = false;
    bool generated = false;  // GENERATED ALWAYS, as an expression or an identity: not ours to fill.
    // Of an array: what its elements are, and their type's OID.
    std::vector<Column> element{};  // One.
    std::uint32_t element_oid = 0;
    // False: its collation calls texts equal whose bytes differ.
    bool deterministic = true;
    // Not of the catalog: a text column that takes JSON values as they are written, the quotes
    // of a string included.
    bool json_text = false;

    // A new row can't do without it.
    [[nodiscard]] bool needs_value() const { return not_null && !has_default && !generated; }
};

struct Table {
    std::string schema;
    std::string name;
    char kind = 'r';  // pg_class.relkind
    std::vector<Column> columns;
    std::vector<std::vector<std::string>> unique_keys;  // Columns of each plain unique index.
    std::vector<std::string> primary_key;               // Empty without one.
    bool may_insert = false;
    bool may_update = false;
    bool may_delete = false;
    bool may_select = false;
    bool may_create_temporary = false;  // In this database.
    bool may_use_schema = false;
    bool row_security = false;  // Policies apply to our role.
    std::string insert_rule;    // A rule on INSERT that is enabled; mostly none.
    std::string write_rule;     // The same on INSERT, UPDATE or DELETE.
    bool may_truncate = false;
    std::string referring;  // A table with a foreign key to it; mostly none.

    [[nodiscard]] std::string quoted() const;  // "public"."orders"
    [[nodiscard]] const Column* find(std::string_view column) const;
};

// The role that privileges are held against, quoted.
Outcome<std::string> current_role(Connection& connection, Deadline deadline);

struct TableName {
    std::string schema;  // Empty: the first of the search path that has the table.
    std::string table;
    bool operator==(const TableName&) const = default;

    [[nodiscard]] std::string quoted() const;  // "public"."orders"; `schema` is not empty.
};
// "table" or "schema.table", spelled exactly.
TableName parse_table_name(std::string_view name);

// Nothing if there is none. Asks the catalogs themselves, which need no privilege.
Outcome<std::optional<Table>> read_table(Connection& connection, const TableName& name,
                                         Deadline deadline);

}  // namespace sluice::postgres
