#include "sinks/cassandra/plan.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "sinks/events.hpp"
#include "sinks/findings.hpp"

namespace sluice::cassandra {
namespace {

constexpr std::string_view bucket_column = "bucket";

const ColumnSource* source_of(const Target& target, std::string_view column) {
    const auto found = std::ranges::find(target.columns, column, &ColumnSource::column);
    return found == target.columns.end() ? nullptr : &*found;
}

bool is_bucket(const Target& target, const Column& column) {
    const bool ours = target.table.empty() || target.dead_letters;
    return ours && column.name == bucket_column && column.type == Type::bigint;
}

std::vector<std::string> primary_key(const Table& table) {
    std::vector<std::string> names;
    for (const auto& column : table.columns) {
        if (column.is_key()) {
            names.push_back(column.name);
        }
    }
    return names;
}

// A version is the timestamp of its row's cells.
void check_version(const Target& target, const Table& table, Findings& findings) {
    if (target.mode != Mode::upsert_newer) {
        return;
    }
    const Column* column = table.find(target.version);
    if (column == nullptr || source_of(target, target.version) == nullptr || column->is_key()) {
        findings.add(target.version,
                     "the version '" + target.version + "' is no column of " + table.name +
                         " that is filled, beside its key",
                     "name one of its columns");
    } else if (column->type && *column->type != Type::bigint && *column->type != Type::timestamp) {
        findings.add(target.version,
                     "the version '" + column->name + "' of " + table.name + " is " +
                         column->type_name,
                     "a version is bigint or timestamp");
    }
}

void check_columns(const Target& target, const Table& table, Findings& findings) {
    for (const auto& source : target.columns) {
        findings.check_column(table, source.column, supported_types);
    }
    if (target.columns.empty()) {
        findings.add({}, "no column of table " + table.name + " can be filled",
                     "say what fills it with columns: {column: path}");
    }
}

void check_key(const Target& target, const Table& table, Findings& findings) {
    for (const auto& column : table.columns) {
        if (column.is_key() && source_of(target, column.name) == nullptr &&
            !is_bucket(target, column)) {
            findings.add(column.name,
                         "column '" + column.name + "' belongs to the primary key of table " +
                             table.name + ", and nothing fills it",
                         target.table.empty() ? "name the table and its columns in a file: "
                                                "{table: events, columns: {column: path}}"
                                              : "add it to columns");
        }
    }
    if (!is_keyed(target.mode)) {
        return;
    }
    auto given = target.key;
    auto wanted = primary_key(table);
    const auto spelled = join(wanted);
    std::ranges::sort(given);
    std::ranges::sort(wanted);
    if (given != wanted) {
        findings.add({},
                     "the key is [" + join(target.key) + "], but the primary key of table " +
                         table.name + " is [" + spelled + "]",
                     "Cassandra finds a row by its whole primary key: say key: [" + spelled +
                         "], or make a table with that key");
    }
}

void add_statements(const Table& table, const Target& target, TablePlan& plan) {
    const std::string ttl = target.ttl     ? " TTL ? AND"
                            : target.ttl_s ? " TTL " + std::to_string(*target.ttl_s) + " AND"
                                           : "";
    plan.ttl = target.ttl.has_value();
    std::vector<std::string> names;
    std::vector<std::string_view> markers;
    std::vector<std::string> key;
    for (const auto& bind : plan.binds) {
        names.push_back(quote_identifier(bind.column.name));
        markers.push_back("?");
        if (bind.column.is_key()) {
            key.push_back(names.back() + " = ?");
        }
    }
    plan.insert = "INSERT INTO " + table.quoted() + " (" + join(names) + ") VALUES (" +
                  join(markers) + ") USING" + ttl + " TIMESTAMP ?";
    if (is_keyed(plan.mode)) {
        plan.remove = "DELETE FROM " + table.quoted() + " USING TIMESTAMP ? WHERE " +
                      join(key, " AND ");
    }
}

}  // namespace

Target complete(const Target& target, const Table& table) {
    Target out = target;
    if (out.key.empty() && out.mode == Mode::changes) {
        out.key = primary_key(table);
    }
    for (const auto& column : table.columns) {
        if (!is_filled_by_name(target, column.name)) {
            continue;
        }
        if (auto source = source_by_name(target, column.name, column.type == Type::uuid)) {
            out.columns.push_back(std::move(*source));
        }
    }
    return out;
}

std::vector<Error> find_problems(const Target& target, const Table& table) {
    Findings findings("cassandra.table");
    if (std::ranges::any_of(table.columns, &Column::is_counter)) {
        findings.add({}, "table " + table.name + " holds counters",
                     "a counter can't be written twice with one result, as a "
                     "replay does; use a table without counters");
        return findings.take();
    }
    check_columns(target, table, findings);
    check_key(target, table, findings);
    check_version(target, table, findings);
    return findings.take();
}

TablePlan make_plan(const Target& target, const Table& table, Formats formats) {
    TablePlan plan{.name = target.table.empty() ? table.name : target.table,
                   .mode = target.mode,
                   .binds = {},
                   .partition_key_size = 0,
                   .primary_key_size = 0,
                   .cells = target.columns.size(),
                   .insert = {},
                   .remove = {},
                   .dead_letters = target.dead_letters};
    for (const auto& column : table.columns) {
        const ColumnSource* source = source_of(target, column.name);
        const bool bucket = source == nullptr && is_bucket(target, column);
        if (source == nullptr && !bucket) {
            continue;
        }
        plan.partition_key_size += column.kind == ColumnKind::partition_key ? 1 : 0;
        plan.primary_key_size += column.is_key() ? 1 : 0;
        Bind bind{.column = column, .fill = bucket ? Fill::bucket : Fill::cell, .cell = 0};
        if (source != nullptr) {
            const bool whole = source->path.steps.empty();
            const bool json = whole &&
                              ((source->path.source == Source::value && is_json(formats.value)) ||
                               (source->path.source == Source::key && is_json(formats.key)));
            const bool text = column.type == Type::text || column.type == Type::ascii;
            bind.fill = target.table.empty() && json && text ? Fill::json : Fill::cell;
            bind.cell = static_cast<std::size_t>(source - target.columns.data());
            if (target.mode == Mode::upsert_newer && column.name == target.version) {
                plan.version = plan.binds.size();
            }
        }
        plan.binds.push_back(std::move(bind));
    }
    add_statements(table, target, plan);
    return plan;
}

}  // namespace sluice::cassandra
