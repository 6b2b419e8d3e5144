#include "map/path_reader.hpp"

#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "base/text.hpp"

namespace sluice {
namespace {

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
        case Format::json:
        case Format::connect_json: {
            Cell cell = json_cell(side.json.root(), side.json);
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

Cell below(const JsonNode* node, const JsonDocument& json, const std::vector<PathStep>& steps) {
    for (const auto& step : steps) {
        const auto* name = std::get_if<std::string>(&step);
        node = name != nullptr ? json.member(*node, *name)
                               : json.element(*node, std::get<std::uint32_t>(step));
        if (node == nullptr) {
            return {};
        }
    }
    return json_cell(*node, json);
}

Cell inside(const Decoded& side, const std::vector<PathStep>& steps) {
    if (side.null || !is_json(side.format)) {
        return {};
    }
    return below(&side.json.root(), side.json, steps);
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

// Whether JsonConverter writes a value of this type so.
bool is_written_so(ConnectType type, const Cell& cell) {
    const bool object = cell.kind == CellKind::json && cell.raw.front() == '{';
    switch (type) {
        case ConnectType::int8:
        case ConnectType::int16:
        case ConnectType::int32:
        case ConnectType::int64:
            return cell.kind == CellKind::number;
        case ConnectType::float32:
        case ConnectType::float64:  // "NaN", "Infinity"
            return cell.kind == CellKind::number || cell.kind == CellKind::string;
        case ConnectType::boolean:
            return cell.kind == CellKind::boolean;
        case ConnectType::string:
        case ConnectType::bytes:
            return cell.kind == CellKind::string;
        case ConnectType::array:
            return cell.kind == CellKind::json && !object;
        case ConnectType::map:  // Of keys that are no strings: an array of pairs.
            return cell.kind == CellKind::json;
        case ConnectType::structure:
            return object;
    }
    return false;
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
        case Source::meta_item:
            return event.item != nullptr ? integer_cell(CellKind::integer, event.item_number)
                                         : Cell{};
        case Source::item:
            return event.item != nullptr ? below(event.item, event.value.json, path.steps) : Cell{};
        case Source::mark: {
            Cell cell;
            cell.kind = CellKind::boolean;
            return cell;
        }
        case Source::constant:
            return text_cell(CellKind::text, path.name);
    }
    return {};
}

const ConnectSchema* schema_at(const Path& path, const Event& event) {
    const bool key = path.source == Source::key;
    if (!key && path.source != Source::value) {
        return nullptr;
    }
    const ConnectSchema* schema = (key ? event.key : event.value).schema;
    for (const auto& step : path.steps) {
        if (schema == nullptr) {
            return nullptr;
        }
        if (const auto* name = std::get_if<std::string>(&step)) {
            schema = schema->type == ConnectType::map ? &schema->parts.back() : schema->find(*name);
        } else {
            schema = schema->type == ConnectType::array ? &schema->parts.front() : nullptr;
        }
    }
    return schema;
}

Path in_first_item(const Path& path, const std::optional<Path>& each) {
    if (path.source != Source::item || !each) {
        return path;
    }
    Path whole = *each;
    whole.steps.emplace_back(std::uint32_t{0});
    whole.steps.insert(whole.steps.end(), path.steps.begin(), path.steps.end());
    return whole;
}

std::size_t PathReader::add(Path path, Reading declared, std::optional<std::string> otherwise) {
    Path in_schema = in_first_item(path, each_);
    entries_.push_back({.path = std::move(path),
                        .in_schema = std::move(in_schema),
                        .declared = declared,
                        .reading = declared,
                        .otherwise = std::move(otherwise)});
    return entries_.size() - 1;
}

void PathReader::begin(const Event& event) {
    if (event.key.schema_id == key_schema_ && event.value.schema_id == value_schema_) {
        return;
    }
    key_schema_ = event.key.schema_id;
    value_schema_ = event.value.schema_id;
    for (Entry& entry : entries_) {
        entry.schema = schema_at(entry.in_schema, event);
        entry.reading = entry.declared == Reading{} && entry.schema != nullptr
                            ? reading_of(*entry.schema)
                            : entry.declared;
    }
}

tl::expected<Cell, std::string> PathReader::read(std::size_t number, const Event& event,
                                                 const Uuid& topic_id) const {
    const Entry& entry = entries_[number];
    Cell cell = resolve(entry.path, event, topic_id);
    if (cell.kind == CellKind::absent && entry.otherwise) {
        return text_cell(CellKind::text, *entry.otherwise);
    }
    cell.reading = entry.reading;
    if (entry.schema != nullptr && cell.kind != CellKind::absent && cell.kind != CellKind::null &&
        !is_written_so(entry.schema->type, cell)) [[unlikely]] {
        return tl::unexpected("the schema beside it says " +
                              std::string(to_string(entry.schema->type)) + ", and it is " +
                              std::string(to_string(cell.kind)));
    }
    return cell;
}

}  // namespace sluice
