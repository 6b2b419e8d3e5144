#include "map/mapper.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "base/text.hpp"
#include "map/condition.hpp"
#include "map/items.hpp"
#include "map/refusals.hpp"

namespace sluice {
namespace {

// A step into something that is never parsed would be absent in every record.
Result<void> check_path(const Route& route, const Target& target, const Path& path) {
    const bool key = path.source == Source::key;
    if (path.steps.empty() || (!key && path.source != Source::value)) {
        return {};
    }
    if (is_json(key ? route.key_format : route.value_format)) {
        return {};
    }
    const std::string side = key ? "key" : "value";
    return fail(wrong_target(
        target, "`" + path.spelling + "` looks into the " + side + ", which is not read as JSON",
        "set `" + side + ": json` in the route, or use `" + side + "`"));
}

Result<void> check_condition(const Route& route, const Target& target, const Condition& condition) {
    for (const auto& term : condition.terms) {
        SLUICE_TRY(check_path(route, target, term.path));
        const auto mistake = target.mode == Mode::changes ? mistake_in_change_condition(term.path)
                                                          : std::nullopt;
        if (mistake) {
            return fail(wrong_target(target, mistake->detail, mistake->hint));
        }
    }
    return {};
}

// Those that fill no column.
Result<void> check_other_paths(const Route& route, const Target& target) {
    if (target.each) {
        SLUICE_TRY(check_path(route, target, *target.each));
    }
    if (target.ttl) {
        SLUICE_TRY(check_path(route, target, *target.ttl));
    }
    for (const auto* condition : {&target.when, &target.deleted}) {
        if (*condition) {
            SLUICE_TRY(check_condition(route, target, **condition));
        }
    }
    return target.branch ? check_condition(route, target, target.branch->mine) : Result<void>{};
}

// No row, unless the record is of none of the tables that it was to choose between.
Result<std::span<const Row>> in_no_table(const Target& target, const Event& event,
                                         const Uuid& topic_id) {
    const bool chooses = target.branch && !event.value.null &&
                         (!target.when || holds(*target.when, event, topic_id));
    if (!chooses || holds(target.branch->anyone, event, topic_id)) {
        return std::span<const Row>{};
    }
    const auto& term = target.branch->anyone.terms.front();
    return fail(rejected_record(
        event, {}, "`" + term.path.spelling + "` names none of the tables " + join(term.values),
        "add it to `tables`, or leave such records out by `when`"));
}

}  // namespace

Mapper::Mapper(const Target& target, std::uint32_t index)
    : target_(&target), index_(index), reader_(target.each), cells_(target.columns.size()) {
    for (const auto& column : target.columns) {
        reader_.add(column.path, column.reading, column.otherwise);
    }
    if (target.ttl) {
        ttl_ = reader_.add(*target.ttl, {});
    }
    if (!target.deleted_column.empty()) {
        mark_.emplace(target);
    }
    if (target.unavailable) {
        unsent_.emplace(*target.unavailable);
    }
}

Result<Mapper> Mapper::create(const Route& route, std::uint32_t index) {
    check(index < route.targets.size(), "a mapper is made for a target that its route has");
    const Target& target = route.targets[index];
    Mapper mapper(target, index);
    for (const auto& column : target.columns) {
        SLUICE_TRY(check_path(route, target, column.path));
        const auto mistake = target.mode == Mode::changes ? mistake_in_change_path(column.path)
                                                          : std::nullopt;
        if (mistake) {
            return fail(wrong_target(target, mistake->detail, mistake->hint));
        }
    }
    SLUICE_TRY(check_other_paths(route, target));
    if (target.mode == Mode::append) {
        return mapper;
    }
    if (target.key.empty()) {
        return fail(wrong_target(target, "an upsert has no key columns",
                                 "name them: `key: [id]`, or use `mode: append`"));
    }
    for (const auto& name : target.key) {
        const auto found = std::ranges::find(target.columns, name, &ColumnSource::column);
        if (found == target.columns.end()) {
            return fail(wrong_target(target, "the key column " + name + " is not among the columns",
                                     "say where it comes from, under `columns:`"));
        }
        mapper.key_columns_.push_back(static_cast<std::size_t>(found - target.columns.begin()));
        mapper.key_in_value_ = mapper.key_in_value_ || found->path.source == Source::value;
    }
    if (target.mode == Mode::changes) {
        mapper.changes_.emplace(target, index);
    }
    if (target.mode == Mode::upsert_newer) {
        const auto found = std::ranges::find(target.columns, target.version, &ColumnSource::column);
        if (found == target.columns.end()) {
            return fail(wrong_target(target,
                                     "the version " + target.version + " is not among the columns",
                                     "say where it comes from, under `columns:`"));
        }
        mapper.version_ = static_cast<std::size_t>(found - target.columns.begin());
    }
    return mapper;
}

Result<std::span<const Row>> Mapper::map(Event& event, const Uuid& topic_id) {
    return target_->each ? map_items(event, topic_id) : map_one(event, topic_id);
}

Result<std::span<const Row>> Mapper::map_items(Event& event, const Uuid& topic_id) {
    item_rows_.clear();
    item_cells_.clear();
    item_ttls_.clear();
    if (event.value.null && is_keyed(target_->mode) && takes(*target_, event, topic_id)) {
        return fail(rejected_record(event, {}, "a null value does not say which items it deletes",
                                    "with `each` an item's row goes by `deleted`, or by the mode "
                                    "delete"));
    }
    Items items(*target_->each, event);
    if (!items.is_array()) {
        return fail(rejected_record(event, {}, "`" + target_->each->spelling + "` is no array",
                                    "`each` takes an array's elements; leave out records that "
                                    "have none by `when`"));
    }
    if (items.size() * cells_.size() > cells_max) {
        return fail(rejected_record(
            event, {},
            "`" + target_->each->spelling + "` has " + std::to_string(items.size()) + " items",
            "of one record at most " + std::to_string(cells_max / cells_.size()) +
                " rows of this width are written: send several records"));
    }
    item_cells_.reserve(items.size() * cells_.size());  // Rows point into both.
    item_ttls_.reserve(items.size());
    while (items.next()) {
        SLUICE_ASSIGN(const auto rows, map_one(event, topic_id));
        for (Row row : rows) {
            const std::size_t begin = item_cells_.size();
            item_cells_.insert(item_cells_.end(), row.cells.begin(), row.cells.end());
            row.cells = std::span(item_cells_).subspan(begin);
            row.ttl = row.ttl != nullptr ? &item_ttls_.emplace_back(*row.ttl) : nullptr;
            row.item = event.item_number;
            item_rows_.push_back(row);
        }
    }
    return item_rows_;
}

Result<std::span<const Row>> Mapper::map_one(const Event& event, const Uuid& topic_id) {
    const bool tombstone = is_keyed(target_->mode) && event.value.null;
    if (!takes(*target_, event, topic_id)) {
        return in_no_table(*target_, event, topic_id);
    }
    if (changes_) {
        return changes_->map(event, topic_id);
    }
    reader_.begin(event);
    const Mode mode = target_->mode;
    const bool deletes = mode == Mode::remove ||
                         (target_->deleted && holds(*target_->deleted, event, topic_id)) ||
                         tombstone;
    if (!deletes) {
        return put(event, topic_id);
    }
    if (mode == Mode::upsert_newer) {
        return fail(rejected_record(event, {}, "a delete, in mode upsert_newer",
                                    "a row that is gone has no version: mark it as deleted in a "
                                    "column, or use mode: upsert"));
    }
    SLUICE_TRY(remove(event, topic_id));
    row_ = mark_ ? mark_->put(index_, cells_)
                 : Row{.target = index_, .op = RowOp::del, .cells = cells_};
    return std::span<const Row>(&row_, 1);
}

Result<std::span<const Row>> Mapper::put(const Event& event, const Uuid& topic_id) {
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        SLUICE_TRY(read(i, event, topic_id));
        Cell& cell = cells_[i];
        if (cell.kind == CellKind::absent && (target_->absent_is_null || version_)) {
            cell.kind = CellKind::null;
        } else if (unsent_ && unsent_->contain(cell)) [[unlikely]] {
            cell = {};
        }
    }
    SLUICE_TRY(check_key(event));
    if (version_ && is_nothing(cells_[*version_])) {
        return fail(rejected_record(event, target_->version, "the record has no version",
                                    "mode upsert_newer compares it with the row's: send it, or "
                                    "take another column"));
    }
    if (ttl_) {
        const auto ttl = reader_.read(*ttl_, event, topic_id);
        if (!ttl) {
            return fail(rejected_record(event, "ttl", ttl.error(), schema_hint));
        }
        ttl_cell_ = *ttl;
    }
    row_ = {
        .target = index_, .op = RowOp::put, .cells = cells_, .ttl = ttl_ ? &ttl_cell_ : nullptr};
    return std::span<const Row>(&row_, 1);
}

Result<void> Mapper::read(std::size_t column, const Event& event, const Uuid& topic_id) {
    auto cell = reader_.read(column, event, topic_id);
    if (!cell) [[unlikely]] {
        return fail(
            rejected_record(event, target_->columns[column].column, cell.error(), schema_hint));
    }
    cells_[column] = *cell;
    return {};
}

Result<void> Mapper::remove(const Event& event, const Uuid& topic_id) {
    if (key_in_value_ && event.value.null) {
        for (const std::size_t i : key_columns_) {
            const ColumnSource& column = target_->columns[i];
            if (column.path.source == Source::value) {
                return fail(rejected_record(
                    event, column.column,
                    "a null value deletes only when the key columns come from the record's key",
                    "take the column from the key, such as `" + column.column + ": key." +
                        column.column + "`"));
            }
        }
    }
    std::ranges::fill(cells_, Cell{});
    for (const std::size_t i : key_columns_) {
        SLUICE_TRY(read(i, event, topic_id));
    }
    return check_key(event);
}

Result<void> Mapper::check_key(const Event& event) const {
    for (const std::size_t i : key_columns_) {
        if (is_nothing(cells_[i])) [[unlikely]] {
            return fail(rejected_key(event, target_->columns[i], cells_[i].kind));
        }
    }
    return {};
}

}  // namespace sluice
