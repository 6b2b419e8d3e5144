#include <algorithm>

#include "app/config_sections.hpp"
#include "base/text.hpp"
#include "map/change.hpp"
#include "map/path.hpp"

namespace sluice {
namespace {

void read_term(const YamlMap::Entry& entry, Condition& condition) {
    Condition::Term term;
    if (auto path = parsed_path_at(entry.value, entry.name, entry.place)) {
        term.path = *std::move(path);
    }
    for (const auto& item : entry.value.items()) {
        if (item.is_null_word()) {
            term.or_nothing = true;
        } else if (const auto text = item.text()) {
            term.values.push_back(text->value);
        }
    }
    if (entry.value.items().empty()) {
        entry.value.problem("'" + printable(entry.value.path()) + "' is an empty list",
                            "name the values of which one must stand there");
    }
    condition.terms.push_back(std::move(term));
}

// `value.deleted`, which must be true, or {value.type: [a, b]}.
std::optional<Condition> read_condition(const YamlReader& reader) {
    Condition condition;
    if (reader.kind() == YamlNode::Kind::scalar) {
        if (const auto text = reader.text_not_empty()) {
            auto path = parsed_path(reader, text->value);
            condition.terms.push_back(
                {.path = std::move(path).value_or(Path{}), .values = {"true"}});
        }
        return condition;
    }
    const auto map = reader.open_map("what must hold, `value.type: order`");
    if (!map) {
        return std::nullopt;
    }
    for (const auto& entry : map->entries()) {
        read_term(entry, condition);
    }
    if (map->entries().empty()) {
        reader.problem("'" + reader.path() + "' is empty", "for example {value.type: order}");
    }
    return condition;
}

}  // namespace

std::optional<Path> parsed_path_at(const YamlReader& reader, std::string_view text,
                                   const Place& place) {
    auto path = parse_path(text);
    if (!path) {
        Error error = std::move(path).error();
        error.detail = "'" + printable(reader.path()) + "': " + error.detail;
        error.op.clear();
        error.code.clear();
        reader.context().problems.add(place, std::move(error));
        return std::nullopt;
    }
    return *std::move(path);
}

std::optional<Path> parsed_path(const YamlReader& reader, std::string_view text) {
    return parsed_path_at(reader, text, reader.place());
}

namespace {

void read_deleted(const YamlReader& reader, Target& target) {
    const auto map = reader.map(settings::deleted);
    if (!map) {
        return;
    }
    const auto* when = map->find("when");
    const auto* column = map->find("column");
    if (when == nullptr && column == nullptr) {
        reader.problem("'" + reader.path() + "' says nothing",
                       "for example {when: value.__deleted}, or {column: is_deleted}");
    }
    const auto refuse = [&](const YamlReader& setting) {
        setting.problem("'" + setting.path() + "' has no meaning in mode " +
                            std::string(settings::modes[static_cast<std::size_t>(target.mode)]),
                        "remove it, or use `mode: upsert`");
    };
    if (when != nullptr) {
        target.deleted = read_condition(*when);
        if (!is_keyed(target.mode) || target.mode == Mode::changes ||
            target.mode == Mode::upsert_newer) {
            refuse(*when);
        }
    }
    if (column != nullptr) {
        target.deleted_column = column->text_not_empty().value_or(Text{}).value;
        if (target.mode != Mode::upsert && target.mode != Mode::update &&
            target.mode != Mode::changes) {
            refuse(*column);
        }
        if (target.truncates) {
            column->problem("'" + column->path() + "' stands beside `truncate: apply`",
                            "rows stay, or they go: keep one of them");
        }
        const bool filled = std::ranges::find(target.columns, target.deleted_column,
                                              &ColumnSource::column) != target.columns.end();
        if (filled || std::ranges::find(target.key, target.deleted_column) != target.key.end()) {
            column->problem("'" + column->path() + "' is " + printable(target.deleted_column) +
                                ", which is filled from the record",
                            "it becomes true where a row is deleted, and is false in all others: "
                            "name a column of its own");
        }
    }
}

}  // namespace

void read_conditions(const YamlMap& map, Target& target) {
    if (const auto* when = map.find("when")) {
        target.when = read_condition(*when);
        const bool changes = target.mode == Mode::changes && target.when;
        for (const auto& term : changes ? target.when->terms : std::vector<Condition::Term>{}) {
            if (const auto mistake = mistake_in_change_condition(term.path)) {
                when->problem(mistake->detail, mistake->hint);
            }
        }
    }
    if (const auto* deleted = map.find("deleted")) {
        read_deleted(*deleted, target);
    }
}

void read_each(const YamlReader& reader, Target& target) {
    const auto text = reader.text_not_empty();
    const auto path = text ? parsed_path(reader, text->value) : std::nullopt;
    if (!path) {
        return;
    }
    const std::string name = "'" + reader.path() + "'";
    if (path->source != Source::value) {
        reader.problem(name + " is " + text->shown(),
                       "it leads to an array in the value, such as value.items");
    } else if (target.mode == Mode::changes) {
        reader.problem(name + " has no meaning in mode changes", "there an event is one row");
    }
    target.each = path;
}

void check_no_items(const YamlReader& reader, const TargetConfig& config) {
    const auto report = [&](const Path& path, const Place& place) {
        if (path.source == Source::item || path.source == Source::meta_item) {
            reader.context().problems.add(
                place, "`" + path.spelling + "` is of targets that take each item of an array",
                "say where the items are: `each: value.items`");
        }
    };
    const Target& target = config.target;
    for (std::size_t i = 0; i < target.columns.size(); ++i) {
        report(target.columns[i].path, config.column_places[i]);
    }
    for (const auto* condition : {&target.when, &target.deleted}) {
        for (const auto& term : *condition ? (*condition)->terms : std::vector<Condition::Term>{}) {
            report(term.path, config.place);
        }
    }
    for (const auto* path : {&target.others, &target.ttl}) {
        if (*path) {
            report(**path, config.place);
        }
    }
}

}  // namespace sluice
