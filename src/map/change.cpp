#include "map/change.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "map/refusals.hpp"

namespace sluice {
namespace {

using namespace std::string_view_literals;

// io.debezium.data.Envelope, and what the source adds.
constexpr std::array envelope_fields{"before"sv, "after"sv, "source"sv, "op"sv,
                                     "ts_ms"sv,  "ts_us"sv, "ts_ns"sv,  "transaction"sv};

enum class Change : std::uint8_t { create, update, remove, truncate, nothing };

bool is_object(const JsonNode* node) { return node != nullptr && node->type == JsonType::object; }

// The record is none of a table: the connector's heartbeat or the mark of a transaction's end.
bool is_of_connector(const JsonDocument& json) {
    const JsonNode& root = json.root();
    const bool heartbeat = json.member(root, "ts_ms") != nullptr && json.nodes[1].end == root.end;
    return heartbeat ||
           (json.member(root, "status") != nullptr && json.member(root, "event_count") != nullptr);
}

Result<Change> change_of(const Event& event) {
    const Decoded& value = event.value;
    const JsonNode* op = nullptr;
    if (is_object(&value.json.root())) {
        op = value.json.member(value.json.root(), "op");
        if (op == nullptr && is_of_connector(value.json)) {
            return Change::nothing;
        }
    }
    if (op == nullptr) {
        return fail(rejected_record(event, {}, "the value is no change event: it has no `op`",
                                    "for plain or flattened records use mode: upsert"));
    }
    constexpr std::array known{
        std::pair{"c"sv, Change::create},   std::pair{"r"sv, Change::create},
        std::pair{"u"sv, Change::update},   std::pair{"d"sv, Change::remove},
        std::pair{"t"sv, Change::truncate}, std::pair{"m"sv, Change::nothing}};
    const auto found = std::ranges::find(known, op->text, &decltype(known)::value_type::first);
    if (found == known.end() || op->type != JsonType::string) {
        return fail(rejected_record(event, {}, "the change event has an unknown `op`",
                                    "c, r, u, d, t and m are known"));
    }
    return found->second;
}

Error truncated(const Event& event) {
    return {.action = Action::stop,
            .op = "map.truncate",
            .where = event.record->where(),
            .code = {},
            .detail = "the source table was truncated",
            .hint = "truncate the target if it is to follow, then pass over this record with "
                    "`sluice dlq skip`; `truncate: apply` does so by itself in PostgreSQL"};
}

std::optional<std::string_view> first_name(const Path& path) {
    if (path.source != Source::value || path.steps.empty()) {
        return std::nullopt;
    }
    const auto* name = std::get_if<std::string>(&path.steps.front());
    return name == nullptr ? std::nullopt : std::optional<std::string_view>(*name);
}

// `value.before.x` for `value.after.x`.
Path in_before(Path path) {
    path.steps.front() = std::string("before");
    path.spelling = "value.before" + path.spelling.substr("value.after"sv.size());
    return path;
}

// `key.x` for it.
Path in_key(Path path) {
    path.source = Source::key;
    path.steps.erase(path.steps.begin());
    path.spelling = "key" + path.spelling.substr("value.after"sv.size());
    return path;
}

}  // namespace

std::optional<PathMistake> mistake_in_change_path(const Path& path) {
    const auto name = first_name(path);
    if (!name || std::ranges::find(envelope_fields, *name) != envelope_fields.end()) {
        return std::nullopt;
    }
    return PathMistake{.detail = "`" + path.spelling +
                                 "` leads to nothing: in mode changes the value is an envelope, "
                                 "with before, after, source, op and ts_ms",
                       .hint = "write `value.after." + std::string(*name) + "`"};
}

std::optional<PathMistake> mistake_in_change_condition(const Path& path) {
    const auto name = first_name(path);
    if (name != "after" && name != "before") {
        return mistake_in_change_path(path);
    }
    return PathMistake{.detail = "`" + path.spelling +
                                 "` is no condition in mode changes: a row of which it no longer "
                                 "holds would stay as it was",
                       .hint = "source, op, the key, headers and meta can be asked for"};
}

ChangeMapper::ChangeMapper(const Target& target, std::uint32_t index)
    : target_(&target),
      index_(index),
      unsent_(target.unavailable.value_or(std::string(debezium_unavailable))),
      cells_(target.columns.size()),
      former_(target.columns.size()) {
    if (!target.deleted_column.empty()) {
        mark_.emplace(target);
    }
    for (const auto& source : target.columns) {
        Column column;
        column.is_key = std::ranges::find(target.key, source.column) != target.key.end();
        column.path = reader_.add(source.path, source.reading, source.otherwise);
        if (first_name(source.path) == "after") {
            column.before = reader_.add(in_before(source.path), source.reading);
            if (column.is_key) {
                column.in_key = reader_.add(in_key(source.path), source.reading);
            }
        }
        columns_.push_back(column);
    }
}

Result<std::span<const Row>> ChangeMapper::map(const Event& event, const Uuid& topic_id) {
    rows_.clear();
    reader_.begin(event);
    if (event.value.null) {
        SLUICE_TRY(remove(event, topic_id));
        return rows_;
    }
    SLUICE_ASSIGN(const Change change, change_of(event));
    switch (change) {
        case Change::create:
        case Change::update:
            SLUICE_TRY(put(event, topic_id, change == Change::create));
            break;
        case Change::remove:
            SLUICE_TRY(remove(event, topic_id));
            break;
        case Change::truncate:
            if (!target_->truncates) {
                return fail(truncated(event));
            }
            rows_.push_back({.target = index_, .op = RowOp::truncate, .cells = {}});
            break;
        case Change::nothing:
            break;
    }
    return rows_;
}

Result<Cell> ChangeMapper::read(std::size_t column, std::size_t path, const Event& event,
                                const Uuid& topic_id) const {
    auto cell = reader_.read(path, event, topic_id);
    if (!cell) {
        return fail(
            rejected_record(event, target_->columns[column].column, cell.error(), schema_hint));
    }
    return *cell;
}

Result<void> ChangeMapper::put(const Event& event, const Uuid& topic_id, bool is_new) {
    if (!is_object(event.value.json.member(event.value.json.root(), "after"))) {
        return fail(rejected_record(event, {}, "the change event has no `after`",
                                    "c, r and u carry the row as it is after the change"));
    }
    keeps_stored_ = false;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        SLUICE_TRY(put_cell(i, event, topic_id, is_new));
    }
    if (!is_new) {
        SLUICE_TRY(remove_former(event, topic_id));
    }
    rows_.push_back({.target = index_, .op = RowOp::put, .cells = cells_});
    return {};
}

Result<void> ChangeMapper::put_cell(std::size_t i, const Event& event, const Uuid& topic_id,
                                    bool is_new) {
    const Column& column = columns_[i];
    const ColumnSource& source = target_->columns[i];
    SLUICE_ASSIGN(Cell cell, read(i, column.path, event, topic_id));
    if (column.before && unsent_.contain(cell)) [[unlikely]] {
        SLUICE_ASSIGN(const Cell before, read(i, *column.before, event, topic_id));
        const bool known = !is_nothing(before) && !unsent_.contain(before);
        if (!known && (is_new || column.is_key)) {
            return fail(rejected_record(
                event, source.column,
                "the source did not send the value, and no row has it yet (`" +
                    source.path.spelling + "`)",
                "ALTER TABLE … REPLICA IDENTITY FULL at the source makes it send all values"));
        }
        keeps_stored_ = keeps_stored_ || !known;
        cell = known ? before : Cell{};
    } else if (column.is_key && is_nothing(cell)) {
        return fail(rejected_key(event, source, cell.kind));
    } else if (target_->absent_is_null && cell.kind == CellKind::absent) {
        cell.kind = CellKind::null;
    }
    cells_[i] = cell;
    return {};
}

// Deletes the row that the change has moved to another key.
Result<void> ChangeMapper::remove_former(const Event& event, const Uuid& topic_id) {
    bool moved = false;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        const Column& column = columns_[i];
        former_[i] = Cell{};
        if (!column.is_key) {
            continue;
        }
        former_[i] = cells_[i];
        if (!column.before) {
            continue;
        }
        SLUICE_ASSIGN(const Cell before, read(i, *column.before, event, topic_id));
        if (!is_nothing(before)) {
            moved = moved || before.raw != cells_[i].raw;
            former_[i] = before;
            continue;
        }
        SLUICE_ASSIGN(const Cell in_key, read(i, *column.in_key, event, topic_id));
        if (is_nothing(in_key)) {
            return fail(rejected_record(
                event, target_->columns[i].column,
                "neither `before` nor the record's key tells which row this was (`" +
                    target_->columns[i].path.spelling + "`)",
                "read the key as JSON, or ALTER TABLE … REPLICA IDENTITY FULL at the source"));
        }
    }
    if (moved && keeps_stored_) {
        return fail(rejected_record(
            event, {}, "the row has another key now, and the source did not send all its values",
            "ALTER TABLE … REPLICA IDENTITY FULL at the source makes it send them"));
    }
    if (moved) {
        add_delete();
    }
    return {};
}

void ChangeMapper::add_delete() {
    rows_.push_back(mark_ ? mark_->put(index_, former_)
                          : Row{.target = index_, .op = RowOp::del, .cells = former_});
}

Result<void> ChangeMapper::remove(const Event& event, const Uuid& topic_id) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        former_[i] = Cell{};
        if (!columns_[i].is_key) {
            continue;
        }
        SLUICE_ASSIGN(former_[i], deleted_key(i, event, topic_id));
        if (!is_nothing(former_[i])) {
            continue;
        }
        if (event.value.null) {
            return {};  // A tombstone; its delete came before it.
        }
        return fail(rejected_record(
            event, target_->columns[i].column,
            "neither the record's key nor `before` tells which row is deleted (`" +
                target_->columns[i].path.spelling + "`)",
            "read the key as JSON, or ALTER TABLE … REPLICA IDENTITY FULL at the source"));
    }
    add_delete();
    return {};
}

Result<Cell> ChangeMapper::deleted_key(std::size_t i, const Event& event,
                                       const Uuid& topic_id) const {
    const Column& column = columns_[i];
    if (!column.before) {
        return read(i, column.path, event, topic_id);
    }
    // `before` has zeros and empty texts in the place of what the source did not log.
    SLUICE_ASSIGN(const Cell in_key, read(i, *column.in_key, event, topic_id));
    if (!is_nothing(in_key)) {
        return in_key;
    }
    return read(i, *column.before, event, topic_id);
}

}  // namespace sluice
