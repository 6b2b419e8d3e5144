#include "sinks/cassandra/schema.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace sluice::cassandra {
namespace {

using namespace std::string_view_literals;

ColumnKind kind_of(std::string_view name) {
    if (name == "partition_key") {
        return ColumnKind::partition_key;
    }
    if (name == "clustering") {
        return ColumnKind::clustering;
    }
    return name == "static" ? ColumnKind::static_column : ColumnKind::regular;
}

Result<bool> has_permission(Session& session, const std::string& what, std::string_view role,
                            Deadline deadline) {
    const auto who = quote_identifier(role);
    const auto roles = session.query("LIST ROLES OF " + who, deadline);
    if (!roles) {
        return true;
    }
    // A superuser may everything, and no permission of its own says so.
    const auto super = roles->find("super");
    for (std::size_t r = 0; super && r < roles->size(); ++r) {
        if (roles->boolean(r, *super)) {
            return true;
        }
    }
    const auto permissions = session.query("LIST " + what + " OF " + who, deadline);
    if (!permissions) {
        if (permissions.error().action == Action::retry) {
            return fail(permissions.error());
        }
        return true;
    }
    return permissions->size() > 0;
}

}  // namespace

std::string Table::quoted() const {
    return quote_identifier(keyspace) + "." + quote_identifier(name);
}

const Column* Table::find(std::string_view column) const {
    const auto found = std::ranges::find(columns, column, &Column::name);
    return found == columns.end() ? nullptr : &*found;
}

TableName split_name(std::string_view name, std::string_view keyspace) {
    const auto dot = name.find('.');
    if (dot == std::string_view::npos) {
        return {std::string(keyspace), std::string(name)};
    }
    return {std::string(name.substr(0, dot)), std::string(name.substr(dot + 1))};
}

namespace {

std::optional<Type> type_named(std::string_view name) {
    static constexpr std::array types{
        std::pair{"boolean"sv, Type::boolean},   std::pair{"tinyint"sv, Type::tinyint},
        std::pair{"smallint"sv, Type::smallint}, std::pair{"int"sv, Type::int32},
        std::pair{"bigint"sv, Type::bigint},     std::pair{"float"sv, Type::float32},
        std::pair{"double"sv, Type::float64},    std::pair{"decimal"sv, Type::decimal},
        std::pair{"text"sv, Type::text},         std::pair{"varchar"sv, Type::text},
        std::pair{"ascii"sv, Type::ascii},       std::pair{"blob"sv, Type::blob},
        std::pair{"date"sv, Type::date},         std::pair{"timestamp"sv, Type::timestamp},
        std::pair{"uuid"sv, Type::uuid},         std::pair{"timeuuid"sv, Type::timeuuid},
        std::pair{"time"sv, Type::time},         std::pair{"duration"sv, Type::duration},
        std::pair{"varint"sv, Type::varint}};
    const auto found = std::ranges::find(types, name, &decltype(types)::value_type::first);
    return found == types.end() ? std::nullopt : std::optional(found->second);
}

// What stands between "frozen<" and ">"; nothing where `name` is none of this kind.
std::optional<std::string_view> inside(std::string_view name, std::string_view kind) {
    if (!name.starts_with(kind) || !name.substr(kind.size()).starts_with('<') ||
        !name.ends_with('>')) {
        return std::nullopt;
    }
    return name.substr(kind.size() + 1, name.size() - kind.size() - 2);
}

}  // namespace

void set_type(Column& column) {
    const std::string_view name = column.type_name;
    column.type = type_named(name);
    const auto frozen = inside(name, "frozen");
    const auto list = frozen ? inside(*frozen, "list") : std::nullopt;
    const auto set = inside(frozen.value_or(name), "set");
    if (!list && !set) {
        return;
    }
    Column element{.name = column.name, .type_name = std::string(list ? *list : *set)};
    element.type = type_named(element.type_name);
    if (element.type) {
        column.type = list ? Type::list : Type::set;
        column.element.push_back(std::move(element));
    }
}

Result<std::optional<Table>> read_table(Session& session, const TableName& name,
                                        Deadline deadline) {
    SLUICE_ASSIGN(const Rows rows, session.query("SELECT column_name, kind, position, type FROM "
                                                 "system_schema.columns WHERE keyspace_name = " +
                                                     quote_text(name.keyspace) +
                                                     " AND table_name = " + quote_text(name.table),
                                                 deadline));
    // Each table has a column; views have columns too, but no entry among the tables.
    SLUICE_ASSIGN(const Rows found,
                  session.query("SELECT table_name FROM system_schema.tables WHERE keyspace_name "
                                "= " +
                                    quote_text(name.keyspace) +
                                    " AND table_name = " + quote_text(name.table),
                                deadline));
    if (rows.size() == 0 || found.size() == 0) {
        return std::optional<Table>{};
    }
    Table table{.keyspace = name.keyspace, .name = name.table, .columns = {}};
    for (std::size_t r = 0; r < rows.size(); ++r) {
        table.columns.push_back({.name = rows.text(r, 0),
                                 .type_name = rows.text(r, 3),
                                 .kind = kind_of(rows.text(r, 1)),
                                 .position = static_cast<std::int32_t>(rows.integer(r, 2))});
        set_type(table.columns.back());
    }
    std::ranges::sort(table.columns, {}, [](const Column& column) {
        const bool key = column.is_key();
        return std::tuple(key ? column.kind : ColumnKind::regular, key ? column.position : 0,
                          std::string_view(column.name));
    });
    return std::optional(std::move(table));
}

Result<bool> has_rows(Session& session, const std::string& quoted_table, std::string_view column,
                      const std::string& condition, Deadline deadline) {
    SLUICE_ASSIGN(const Rows rows, session.query("SELECT " + quote_identifier(column) + " FROM " +
                                                     quoted_table + " " + condition + " LIMIT 1",
                                                 deadline));
    return rows.size() > 0;
}

Result<bool> has_keyspace(Session& session, std::string_view keyspace, Deadline deadline) {
    SLUICE_ASSIGN(const Rows rows,
                  session.query("SELECT keyspace_name FROM system_schema.keyspaces WHERE "
                                "keyspace_name = " +
                                    quote_text(keyspace),
                                deadline));
    return rows.size() > 0;
}

Result<bool> may_use(Session& session, std::string_view permission, const Table& table,
                     std::string_view role, Deadline deadline) {
    return has_permission(session,
                          std::string(permission) + " PERMISSION ON TABLE " + table.quoted(), role,
                          deadline);
}

Result<bool> may_create(Session& session, std::optional<std::string_view> keyspace,
                        std::string_view role, Deadline deadline) {
    return has_permission(session,
                          "CREATE PERMISSION ON " + (keyspace
                                                         ? "KEYSPACE " + quote_identifier(*keyspace)
                                                         : std::string("ALL KEYSPACES")),
                          role, deadline);
}

}  // namespace sluice::cassandra
