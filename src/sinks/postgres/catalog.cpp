#include "sinks/postgres/catalog.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::postgres {
namespace {

using namespace std::string_view_literals;

// Domains are followed to their base type; a domain may forbid nulls and bear the modifier.
constexpr std::string_view columns_query = R"(
WITH RECURSIVE base AS (
  SELECT a.attnum, a.atttypid AS type, a.atttypmod AS modifier, a.attnotnull AS not_null,
         false AS has_default
    FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT b.attnum, t.typbasetype, CASE WHEN t.typtypmod = -1 THEN b.modifier ELSE t.typtypmod END,
         b.not_null OR t.typnotnull, b.has_default OR t.typdefault IS NOT NULL
    FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd')
SELECT a.attname, t.typname, n.nspname = 'pg_catalog', b.modifier, b.not_null,
       a.atthasdef OR a.attidentity <> '' OR b.has_default, a.attgenerated <> '' OR a.attidentity = 'a',
       format_type(a.atttypid, a.atttypmod), coalesce(c.collisdeterministic, true), t.typtype,
       e.typname, m.nspname = 'pg_catalog', e.typtype, e.oid
  FROM base b
  JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
  JOIN pg_namespace n ON n.oid = t.typnamespace
  JOIN pg_attribute a ON a.attrelid = $1::oid AND a.attnum = b.attnum
  LEFT JOIN pg_collation c ON c.oid = a.attcollation
  LEFT JOIN pg_type e ON e.typarray = t.oid
  LEFT JOIN pg_namespace m ON m.oid = e.typnamespace
 ORDER BY a.attnum)";

constexpr std::string_view keys_query = R"(
SELECT i.indexrelid, a.attname, i.indisprimary
  FROM pg_index i
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts-1])
 WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate
   AND i.indpred IS NULL AND i.indexprs IS NULL
 ORDER BY i.indexrelid, a.attname)";

// `kind` is pg_type.typtype.
std::optional<Type> type_of(std::string_view name, bool built_in, std::string_view kind) {
    if (kind == "e") {
        return Type::enumeration;
    }
    if (!built_in) {
        return std::nullopt;
    }
    static constexpr std::array types{std::pair{"bool"sv, Type::boolean},
                                      std::pair{"int2"sv, Type::int2},
                                      std::pair{"int4"sv, Type::int4},
                                      std::pair{"int8"sv, Type::int8},
                                      std::pair{"float4"sv, Type::float4},
                                      std::pair{"float8"sv, Type::float8},
                                      std::pair{"numeric"sv, Type::numeric},
                                      std::pair{"text"sv, Type::text},
                                      std::pair{"varchar"sv, Type::varchar},
                                      std::pair{"bpchar"sv, Type::bpchar},
                                      std::pair{"bytea"sv, Type::bytea},
                                      std::pair{"date"sv, Type::date},
                                      std::pair{"timestamp"sv, Type::timestamp},
                                      std::pair{"timestamptz"sv, Type::timestamptz},
                                      std::pair{"uuid"sv, Type::uuid},
                                      std::pair{"json"sv, Type::json},
                                      std::pair{"jsonb"sv, Type::jsonb},
                                      std::pair{"time"sv, Type::time},
                                      std::pair{"timetz"sv, Type::timetz},
                                      std::pair{"interval"sv, Type::interval},
                                      std::pair{"bit"sv, Type::bit},
                                      std::pair{"varbit"sv, Type::varbit},
                                      std::pair{"point"sv, Type::point},
                                      std::pair{"xml"sv, Type::xml}};
    const auto found = std::ranges::find(types, name, &decltype(types)::value_type::first);
    return found == types.end() ? std::nullopt : std::optional(found->second);
}

// Its elements stand from the tenth value of the row on.
void make_array(Column& column, const Rows& rows, std::size_t row) {
    const auto type = type_of(rows.text(row, 10), rows.boolean(row, 11), rows.text(row, 12));
    if (!type) {
        return;
    }
    Column element{.name = column.name,
                   .type_name = column.type_name.substr(0, column.type_name.rfind("[]")),
                   .type = type,
                   .modifier = column.modifier};
    column.element.push_back(std::move(element));
    column.element_oid = static_cast<std::uint32_t>(rows.integer(row, 13));
    column.type = Type::array;
}

Outcome<void> read_columns(Connection& connection, const std::string& oid, Table& table,
                           Deadline deadline) {
    const std::array parameters{std::optional(oid)};
    auto rows = connection.query(std::string(columns_query), parameters, deadline);
    if (!rows) {
        return tl::unexpected(std::move(rows).error());
    }
    for (std::size_t r = 0; r < rows->size(); ++r) {
        Column column{
            .name = rows->text(r, 0),
            .type_name = rows->text(r, 7),
            .type = type_of(rows->text(r, 1), rows->boolean(r, 2), rows->text(r, 9)),
            .modifier = static_cast<std::int32_t>(rows->integer(r, 3)),
            .not_null = rows->boolean(r, 4),
            .has_default = rows->boolean(r, 5),
            .generated = rows->boolean(r, 6),
            .deterministic = rows->boolean(r, 8),
        };
        if (!rows->is_null(r, 10)) {
            make_array(column, *rows, r);
        }
        table.columns.push_back(std::move(column));
    }
    return {};
}

Outcome<void> read_keys(Connection& connection, const std::string& oid, Table& table,
                        Deadline deadline) {
    const std::array parameters{std::optional(oid)};
    auto rows = connection.query(std::string(keys_query), parameters, deadline);
    if (!rows) {
        return tl::unexpected(std::move(rows).error());
    }
    std::string last;
    for (std::size_t r = 0; r < rows->size(); ++r) {
        if (std::exchange(last, rows->text(r, 0)) != rows->text(r, 0)) {
            table.unique_keys.emplace_back();
        }
        table.unique_keys.back().push_back(rows->text(r, 1));
        if (rows->boolean(r, 2)) {
            table.primary_key.push_back(rows->text(r, 1));
        }
    }
    return {};
}

}  // namespace

std::string Table::quoted() const { return TableName{schema, name}.quoted(); }

const Column* Table::find(std::string_view column) const {
    const auto found = std::ranges::find(columns, column, &Column::name);
    return found == columns.end() ? nullptr : &*found;
}

Outcome<std::string> current_role(Connection& connection, Deadline deadline) {
    auto role = connection.query("SELECT current_user", {}, deadline);
    if (!role) {
        return tl::unexpected(std::move(role).error());
    }
    return quote_identifier(role->text(0, 0));
}

std::string TableName::quoted() const {
    return quote_identifier(schema) + "." + quote_identifier(table);
}

TableName parse_table_name(std::string_view name) {
    const auto dot = name.find('.');
    if (dot == std::string_view::npos) {
        return {.schema = {}, .table = std::string(name)};
    }
    return {.schema = std::string(name.substr(0, dot)), .table = std::string(name.substr(dot + 1))};
}

Outcome<std::optional<Table>> read_table(Connection& connection, const TableName& name,
                                         Deadline deadline) {
    const std::array parameters{std::optional(name.schema), std::optional(name.table)};
    auto found = connection.query(
        "SELECT c.oid, n.nspname, c.relname, c.relkind, "
        "has_table_privilege(c.oid, 'INSERT'), has_table_privilege(c.oid, 'UPDATE'), "
        "has_table_privilege(c.oid, 'DELETE'), has_table_privilege(c.oid, 'SELECT'), "
        "has_database_privilege(current_database(), 'TEMP'), "
        "has_schema_privilege(n.oid, 'USAGE'), row_security_active(c.oid), "
        "(SELECT min(r.rulename) FROM pg_rewrite r WHERE r.ev_class = c.oid "
        "AND r.ev_type = '3' AND r.ev_enabled IN ('O', 'A')), "
        "(SELECT min(r.rulename) FROM pg_rewrite r WHERE r.ev_class = c.oid "
        "AND r.ev_type <> '1' AND r.ev_enabled IN ('O', 'A')), "
        "has_table_privilege(c.oid, 'TRUNCATE'), "
        "(SELECT min(f.conrelid::regclass::text) FROM pg_constraint f WHERE f.confrelid = c.oid "
        "AND f.contype = 'f' AND f.conrelid <> c.oid) "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relname = $2 AND CASE $1 WHEN '' THEN pg_table_is_visible(c.oid) "
        "ELSE n.nspname = $1 END",
        parameters, deadline);
    if (!found) {
        return tl::unexpected(std::move(found).error());
    }
    if (found->size() == 0) {
        return std::optional<Table>{};
    }
    Table table{.schema = found->text(0, 1),
                .name = found->text(0, 2),
                .kind = found->text(0, 3).front(),
                .columns = {},
                .unique_keys = {},
                .primary_key = {},
                .may_insert = found->boolean(0, 4),
                .may_update = found->boolean(0, 5),
                .may_delete = found->boolean(0, 6),
                .may_select = found->boolean(0, 7),
                .may_create_temporary = found->boolean(0, 8),
                .may_use_schema = found->boolean(0, 9),
                .row_security = found->boolean(0, 10),
                .insert_rule = found->text(0, 11),
                .write_rule = found->text(0, 12),
                .may_truncate = found->boolean(0, 13),
                .referring = found->text(0, 14)};
    const std::string oid = found->text(0, 0);
    auto columns = read_columns(connection, oid, table, deadline);
    if (!columns) {
        return tl::unexpected(std::move(columns).error());
    }
    auto keys = read_keys(connection, oid, table, deadline);
    if (!keys) {
        return tl::unexpected(std::move(keys).error());
    }
    return std::optional(std::move(table));
}

}  // namespace sluice::postgres
