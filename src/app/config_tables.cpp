// Names of tables, as targets have them.
#include <algorithm>

#include "app/config_sections.hpp"
#include "app/table_template.hpp"
#include "app/topic_pattern.hpp"
#include "map/change.hpp"
#include "sinks/cassandra/definition.hpp"
#include "sinks/postgres/definition.hpp"

namespace sluice {
namespace {

std::optional<TableTemplate> read_made_name(const YamlReader& reader, const Text& text,
                                            Database database, Target& target) {
    auto name = parse_table_template(text.value);
    if (!name) {
        reader.problem("'" + reader.path() + "' is " + text.shown() + ": " + name.error().detail,
                       name.error().hint);
        return std::nullopt;
    }
    const TopicMatch any{.topic = "t", .groups = std::vector<std::string>(9, "t")};
    if (const auto wrong = refused_table(fill_table_template(*name, any, "t"), database)) {
        reader.problem("'" + reader.path() + "' is " + text.shown(), *wrong);
    }
    target.table = text.value;
    return *std::move(name);
}

void read_tables(const YamlReader& reader, Database database, const TableTemplate& name,
                 TargetConfig& config) {
    const auto texts = reader.texts(false);
    if (!texts) {
        return;
    }
    const TopicMatch any{.topic = "t", .groups = std::vector<std::string>(9, "t")};
    Problems& problems = reader.context().problems;
    for (const auto& [text, place] : *texts) {
        if (const auto wrong = refused_table(fill_table_template(name, any, text.value),
                                             database)) {
            problems.add(place, "'" + reader.path() + "' names " + text.shown(), *wrong);
        }
        if (std::ranges::find(config.tables, text.value) != config.tables.end()) {
            problems.add(place, "'" + reader.path() + "' names " + text.shown() + " twice",
                         "keep one of them");
        }
        config.tables.push_back(text.value);
    }
}

}  // namespace

std::optional<std::string> refused_identifier(std::string_view name, Database database) {
    return database == Database::cassandra ? cassandra::refused_name(name)
                                           : postgres::refused_name(name);
}

std::optional<std::string> refused_table(std::string_view name, Database database) {
    const auto dot = name.find('.');
    auto wrong = refused_identifier(name.substr(0, dot), database);
    if (!wrong && dot != std::string_view::npos) {
        wrong = refused_identifier(name.substr(dot + 1), database);
        if (name.find('.', dot + 1) != std::string_view::npos) {
            wrong = database == Database::postgres ? "write table or schema.table"
                                                   : "write table or keyspace.table";
        }
    }
    return wrong;
}

void read_table(const YamlReader& reader, Database database, Target& target) {
    const auto text = reader.text_not_empty();
    if (!text) {
        return;
    }
    if (const auto wrong = refused_table(text->value, database)) {
        reader.problem("'" + reader.path() + "' is " + text->shown(), *wrong);
        return;
    }
    target.table = text->value;
}

void read_table_name(const YamlMap& map, Database database, TargetConfig& config) {
    const auto* table = map.find("table");
    const auto* tables = map.find("tables");
    if (table == nullptr) {
        report_missing(map.self(), "table", "table: orders", "--config FILE");
        return;
    }
    const auto text = table->text();
    std::optional<TableTemplate> name;
    if (text && text->value.find_first_of("{}") != std::string::npos) {
        name = read_made_name(*table, *text, database, config.target);
    } else {
        read_table(*table, database, config.target);
    }
    const bool chooses = name && name->field;
    if (chooses && tables == nullptr) {
        table->problem("'" + table->path() + "' takes its name from " + name->field->spelling +
                           ", and '" + map.self().path() + ".tables' does not say which it may be",
                       "for example `tables: [click, view]`");
    } else if (chooses) {
        read_tables(*tables, database, *name, config);
    } else if (tables != nullptr) {
        tables->problem("'" + tables->path() +
                            "' lists tables, and 'table' does not choose "
                            "between any",
                        "write the field that does into it, `table: \"{value.type}\"`, or remove "
                        "it");
    }
}

void check_table_names(const RouteConfig& route, Problems& problems) {
    const auto pattern = route.topic_pattern.empty() ? std::nullopt
                                                     : TopicPattern::parse(route.topic_pattern);
    const std::size_t groups = pattern ? pattern->groups() : 0;
    for (const auto* targets : {&route.postgres, &route.cassandra}) {
        for (const auto& [target, tables, place, column_places] : *targets) {
            const auto name = parse_table_template(target.table);
            if (!name) {
                continue;  // It was told.
            }
            if (name->groups() > groups) {
                problems.add(place,
                             "the table's name asks for group " + std::to_string(name->groups()) +
                                 " of topic_pattern, which has " + std::to_string(groups),
                             "put what is meant into parentheses: "
                             "`topic_pattern: \"shop[.](.+)\"`");
            }
            const auto mistake = name->field && target.mode == Mode::changes
                                     ? mistake_in_change_condition(*name->field)
                                     : std::nullopt;
            if (mistake) {
                problems.add(place, mistake->detail, mistake->hint);
            }
        }
    }
}

}  // namespace sluice
