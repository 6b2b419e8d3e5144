#include "map/mapper.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "base/text.hpp"

namespace sluice {
namespace {

Cell cell_of(const JsonNode& node, const JsonDocument& document) {
    Cell cell;
    cell.raw = node.raw;
    cell.document = &document;
    switch (node.type) {
        case JsonType::null:
            cell.kind = CellKind::null;
            break;
        case JsonType::boolean:
            cell.kind = CellKind::boolean;
            cell.boolean = node.boolean;
            break;
        case JsonType::number:
            cell.kind = CellKind::number;
            cell.text = node.raw;
            break;
        case JsonType::string:
            cell.kind = CellKind::string;
            cell.text = node.text;
            break;
        case JsonType::array:
        case JsonType::object:
            cell.kind = CellKind::json;
            break;
    }
    return cell;
}

Cell text_cell(CellKind kind, std::string_view text) {
    Cell cell;
    cell.kind = kind;
    cell.text = text;
    return cell;
}

Cell integer_cell(CellKind kind, std::int64_t value) {
    Cell cell;
    cell.kind = kind;
    cell.integer = value;
    return cell;
}

Cell null_cell() {
    Cell cell;
    cell.kind = CellKind::null;
    return cell;
}

Cell whole(const Decoded& side) {
    if (side.null) {
        return null_cell();
    }
    switch (side.format) {
        case Format::json: {
            Cell cell = cell_of(side.json.root(), side.json);
            cell.raw = side.text;
            return cell;
        }
        case Format::string:
            return text_cell(CellKind::text, side.text);
        case Format::bytes:
            return text_cell(CellKind::bytes, side.text);
    }
    return {};
}

Cell inside(const Decoded& side, const std::vector<PathStep>& steps) {
    if (side.null || side.format != Format::json) {
        return {};
    }
    const JsonNode* node = &side.json.root();
    for (const auto& step : steps) {
        const auto* name = std::get_if<std::string>(&step);
        node = name != nullptr ? side.json.member(*node, *name)
                               : side.json.element(*node, std::get<std::uint32_t>(step));
        if (node == nullptr) {
            return {};
        }
    }
    return cell_of(*node, side.json);
}

Cell header(const Record& record, std::string_view name) {
    for (std::size_t i = record.headers.size(); i-- > 0;) {
        const Header& header = record.headers[i];
        if (header.name != name) {
            continue;
        }
        if (!header.value) {
            return null_cell();
        }
        return text_cell(is_utf8(*header.value) ? CellKind::text : CellKind::bytes, *header.value);
    }
    return {};
}

Cell record_id(const Record& record, const Uuid& topic_id) {
    constexpr std::size_t partition_max = 11;  // Characters of an int32, with its sign.
    std::array<char, 40> name{};
    char* end = std::to_chars(name.data(), name.data() + partition_max,
                              record.partition->partition.value())
                    .ptr;
    *end++ = ':';
    end = std::to_chars(end, name.data() + name.size(), record.offset.value()).ptr;
    Cell cell;
    cell.kind = CellKind::uuid;
    cell.uuid = uuid_v5(topic_id, {name.data(), static_cast<std::size_t>(end - name.data())});
    return cell;
}

[[gnu::cold]] Error reject(const Event& event, const std::string& column, std::string detail,
                           std::string hint) {
    return {.action = Action::reject,
            .op = "map",
            .where = event.record->where() + ", column " + column,
            .code = {},
            .detail = std::move(detail),
            .hint = std::move(hint)};
}

Error configure(const Target& target, std::string detail, std::string hint) {
    return {.action = Action::configure,
            .op = "map",
            .where = target.table,
            .code = {},
            .detail = std::move(detail),
            .hint = std::move(hint)};
}

// A step into something that is never parsed would be absent in every record.
Result<void> check_path(const Route& route, const Target& target, const Path& path) {
    const bool key = path.source == Source::key;
    if (path.steps.empty() || (!key && path.source != Source::value)) {
        return {};
    }
    if ((key ? route.key_format : route.value_format) == Format::json) {
        return {};
    }
    const std::string side = key ? "key" : "value";
    return fail(configure(
        target, "`" + path.spelling + "` looks into the " + side + ", which is not read as JSON",
        "set `" + side + ": json` in the route, or use `" + side + "`"));
}

}  // namespace

Cell resolve(const Path& path, const Event& event, const Uuid& topic_id) {
    switch (path.source) {
        case Source::value:
            return path.steps.empty() ? whole(event.value) : inside(event.value, path.steps);
        case Source::key:
            return path.steps.empty() ? whole(event.key) : inside(event.key, path.steps);
        case Source::header:
            return header(*event.record, path.name);
        case Source::meta_topic:
            return text_cell(CellKind::text, event.record->partition->topic);
        case Source::meta_partition:
            return integer_cell(CellKind::integer, event.record->partition->partition.value());
        case Source::meta_offset:
            return integer_cell(CellKind::integer, event.record->offset.value());
        case Source::meta_timestamp:
            return event.record->timestamp_ms
                       ? integer_cell(CellKind::time_ms, *event.record->timestamp_ms)
                       : Cell{};
        case Source::meta_id:
            return record_id(*event.record, topic_id);
    }
    return {};
}

Mapper::Mapper(const Target& target, std::uint32_t index)
    : target_(&target), index_(index), cells_(target.columns.size()) {}

Result<Mapper> Mapper::create(const Route& route, std::uint32_t index) {
    check(index < route.targets.size(), "a mapper is made for a target that its route has");
    const Target& target = route.targets[index];
    Mapper mapper(target, index);
    for (const auto& column : target.columns) {
        SLUICE_TRY(check_path(route, target, column.path));
    }
    if (target.mode == Mode::append) {
        return mapper;
    }
    if (target.key.empty()) {
        return fail(configure(target, "an upsert has no key columns",
                              "name them: `key: [id]`, or use `mode: append`"));
    }
    for (const auto& name : target.key) {
        const auto found = std::ranges::find(target.columns, name, &ColumnSource::column);
        if (found == target.columns.end()) {
            return fail(configure(target, "the key column " + name + " is not among the columns",
                                  "say where it comes from, under `columns:`"));
        }
        mapper.key_columns_.push_back(static_cast<std::size_t>(found - target.columns.begin()));
        mapper.key_in_value_ = mapper.key_in_value_ || found->path.source == Source::value;
    }
    return mapper;
}

Result<Row> Mapper::map(const Event& event, const Uuid& topic_id) {
    if (target_->mode == Mode::upsert && event.value.null) {
        return remove(event, topic_id);
    }
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        cells_[i] = resolve(target_->columns[i].path, event, topic_id);
    }
    SLUICE_TRY(check_key(event));
    if (target_->absent_is_null) {
        for (Cell& cell : cells_) {
            if (cell.kind == CellKind::absent) {
                cell.kind = CellKind::null;
            }
        }
    }
    return Row{.target = index_, .op = RowOp::put, .cells = cells_};
}

Result<Row> Mapper::remove(const Event& event, const Uuid& topic_id) {
    if (key_in_value_) {
        for (const std::size_t i : key_columns_) {
            const ColumnSource& column = target_->columns[i];
            if (column.path.source == Source::value) {
                return fail(reject(event, column.column,
                                   "a null value deletes only when the key columns come from the "
                                   "record's key",
                                   "take the column from the key, such as `" + column.column +
                                       ": key." + column.column + "`"));
            }
        }
    }
    std::ranges::fill(cells_, Cell{});
    for (const std::size_t i : key_columns_) {
        cells_[i] = resolve(target_->columns[i].path, event, topic_id);
    }
    SLUICE_TRY(check_key(event));
    return Row{.target = index_, .op = RowOp::del, .cells = cells_};
}

Result<void> Mapper::check_key(const Event& event) const {
    for (const std::size_t i : key_columns_) {
        const CellKind kind = cells_[i].kind;
        if (kind == CellKind::absent || kind == CellKind::null) [[unlikely]] {
            const ColumnSource& column = target_->columns[i];
            return fail(reject(event, column.column,
                               std::string("a key column is ") +
                                   (kind == CellKind::null ? "null" : "absent") + " (`" +
                                   column.path.spelling + "`)",
                               "a row without its whole key can't be found again"));
        }
    }
    return {};
}

}  // namespace sluice
