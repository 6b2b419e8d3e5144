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
    const auto* deleted = map.find("deleted");
    if (deleted == nullptr) {
        return;
    }
    if (const auto inner = deleted->map(settings::deleted)) {
        if (const auto* when = inner->find("when")) {
            target.deleted = read_condition(*when);
        } else {
            deleted->problem("'" + deleted->path() + ".when' is missing",
                             "for example {when: value.__deleted}");
        }
    }
    if (!is_keyed(target.mode) || target.mode == Mode::changes ||
        target.mode == Mode::upsert_newer) {
        deleted->problem("'" + deleted->path() + "' has no meaning in mode " +
                             std::string(settings::modes[static_cast<std::size_t>(target.mode)]),
                         "remove it, or use `mode: upsert`");
    }
}

}  // namespace sluice
