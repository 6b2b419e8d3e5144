#include "map/condition.hpp"

#include <algorithm>
#include <string>

#include "map/path_reader.hpp"

namespace sluice {
namespace {

bool holds(const Condition::Term& term, const Cell& cell) {
    const auto is_one = [&](std::string_view value) {
        return std::ranges::find(term.values, value) != term.values.end();
    };
    switch (cell.kind) {
        case CellKind::absent:
        case CellKind::null:
            return term.or_nothing;
        case CellKind::boolean:
            return is_one(cell.boolean ? "true" : "false");
        case CellKind::integer:
            return is_one(std::to_string(cell.integer));
        case CellKind::number:
        case CellKind::string:
        case CellKind::text:
            return is_one(cell.text);
        case CellKind::json:
        case CellKind::bytes:
        case CellKind::time_ms:
        case CellKind::uuid:
            return false;
    }
    return false;
}

}  // namespace

bool holds(const Condition& condition, const Event& event, const Uuid& topic_id) {
    return std::ranges::all_of(condition.terms, [&](const Condition::Term& term) {
        return holds(term, resolve(term.path, event, topic_id));
    });
}

bool holds_of_tombstone(const Condition& condition, const Event& event, const Uuid& topic_id) {
    return std::ranges::all_of(condition.terms, [&](const Condition::Term& term) {
        return term.path.source == Source::value || term.path.source == Source::item ||
               holds(term, resolve(term.path, event, topic_id));
    });
}

bool takes(const Target& target, const Event& event, const Uuid& topic_id) {
    const auto is_so = [&](const Condition& condition) {
        return is_keyed(target.mode) && event.value.null
                   ? holds_of_tombstone(condition, event, topic_id)
                   : holds(condition, event, topic_id);
    };
    return (!target.when || is_so(*target.when)) && (!target.branch || is_so(target.branch->mine));
}

}  // namespace sluice
