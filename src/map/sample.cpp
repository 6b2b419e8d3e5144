#include "map/sample.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "map/condition.hpp"
#include "map/items.hpp"
#include "map/shape.hpp"

namespace sluice {
namespace {

constexpr Uuid no_topic{};  // Where only the kind of an id counts.

std::vector<std::string> members_of(const Cell& cell) {
    std::vector<std::string> names;
    if (cell.node == nullptr || cell.node->type != JsonType::object) {
        return names;
    }
    const auto& nodes = cell.document->nodes;
    const auto begin = static_cast<std::size_t>(cell.node - nodes.data()) + 1;
    for (std::size_t i = begin; i < cell.node->end; i = nodes[i].end) {
        names.emplace_back(nodes[i].name);
    }
    return names;
}

bool has_column(const Target& target, const std::string& name) {
    return std::ranges::find(target.columns, name, &ColumnSource::column) != target.columns.end();
}

bool finds_fields(const Target& target) { return target.columns.empty() || target.others; }

}  // namespace

TableSample::TableSample(const Target& target) : target_(target), reader_(target.each) {
    for (const auto& source : target.columns) {
        add_column(source);
    }
}

void TableSample::add_column(const ColumnSource& source) {
    const std::size_t path = reader_.add(source.path, source.reading, source.otherwise);
    found_.push_back(
        {.column = {.name = source.column, .path = source.path, .shape = {}}, .path = path});
}

void TableSample::add(Event& event) {
    if (!target_.each) {
        add_one(event);
        return;
    }
    Items items(*target_.each, event);
    while (items.next()) {
        add_one(event);
    }
}

void TableSample::add_one(const Event& event) {
    if (!takes(target_, event, no_topic)) {
        return;
    }
    see_key(event);
    const Path fields = fields_path(target_);
    const bool row = !event.value.null && (target_.mode != Mode::changes ||
                                           resolve(fields, event, no_topic).kind == CellKind::json);
    if (!row) {
        return;
    }
    ++records_;
    if (finds_fields(target_)) {
        see_fields(event);
    }
    reader_.begin(event);
    for (auto& found : found_) {
        see(found, event);
    }
}

void TableSample::see_fields(const Event& event) {
    const Path base = fields_path(target_);
    std::vector<std::string> names;
    const ConnectSchema* schema = schema_at(in_first_item(base, target_.each), event);
    if (schema != nullptr && schema->type == ConnectType::structure) {
        std::ranges::transform(schema->parts, std::back_inserter(names), &ConnectSchema::field);
    } else {
        names = members_of(resolve(base, event, no_topic));
    }
    for (const auto& name : names) {
        const auto known = std::ranges::find(found_, name,
                                             [](const Found& found) { return found.column.name; });
        if (known == found_.end()) {
            add_column({.column = name, .path = member_path(base, name), .reading = {}});
        }
    }
}

void TableSample::see(Found& found, const Event& event) {
    ColumnShape& column = found.column;
    const Path& path = column.path;
    if (path.source == Source::meta_partition || path.source == Source::meta_item) {
        column.shape = {ShapeKind::int32};
        column.from_schema = true;
        return;
    }
    const auto cell = reader_.read(found.path, event, no_topic);
    if (!cell) {
        return;  // Its record is refused, and tells nothing.
    }
    column.values += is_nothing(*cell) ? 0 : 1;
    column.nulls += cell->kind == CellKind::null ? 1 : 0;
    if (const auto* schema = schema_at(in_first_item(path, target_.each), event)) {
        const bool declared = std::ranges::any_of(target_.columns, [&](const auto& source) {
            return source.column == column.name && source.reading != Reading{};
        });
        if (!declared) {
            column.shape = widened(column.shape, shape_of(*schema));
            column.from_schema = true;
            return;
        }
    }
    column.shape = widened(column.shape, shape_of(*cell));
}

void TableSample::see_key(const Event& event) {
    if (event.key.null || !is_json(event.key.format)) {
        return;
    }
    const Path key{.source = Source::key, .name = {}, .steps = {}, .spelling = "key"};
    for (auto& name : members_of(resolve(key, event, no_topic))) {
        if (std::ranges::find(record_key_, name) == record_key_.end()) {
            record_key_.push_back(std::move(name));
        }
    }
}

TableShape TableSample::shape() const {
    TableShape shape{.columns = {}, .key = target_.key, .records = records_};
    if (shape.key.empty() && target_.mode == Mode::changes) {
        shape.key = record_key_;
    }
    for (const auto& found : found_) {
        shape.columns.push_back(found.column);
    }
    std::ranges::stable_sort(shape.columns, {}, [&](const ColumnShape& column) {
        return std::ranges::find(shape.key, column.name) - shape.key.begin();
    });
    return shape;
}

std::vector<ColumnShape> new_fields(const Target& target, const Event& event) {
    std::vector<ColumnShape> fields;
    const Path base = fields_path(target);
    const ConnectSchema* schema = schema_at(in_first_item(base, target.each), event);
    if (schema == nullptr || schema->type != ConnectType::structure) {
        return fields;
    }
    for (const auto& part : schema->parts) {
        if (!has_column(target, part.field)) {
            fields.push_back({.name = part.field,
                              .path = member_path(base, part.field),
                              .shape = shape_of(part),
                              .from_schema = true});
        }
    }
    return fields;
}

}  // namespace sluice
