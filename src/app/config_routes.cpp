#include <algorithm>
#include <array>
#include <map>

#include "app/config_sections.hpp"
#include "base/text.hpp"
#include "map/path.hpp"

namespace sluice {
namespace {

// PostgreSQL's limits of a table's columns and an index's; generous for Cassandra.
constexpr std::size_t columns_max = 1600;
constexpr std::size_t key_columns_max = 32;

enum class Database : std::uint8_t { postgres, cassandra };

// Why this is no name of a column or table, or nothing.
std::optional<std::string> refused_identifier(std::string_view name, Database database) {
    if (database == Database::cassandra) {
        return refused_cassandra_name(name);
    }
    const bool printable = std::ranges::none_of(
        name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (name.empty() || name.size() > postgres_name_bytes_max || !printable) {
        return "PostgreSQL allows 1 to 63 bytes, and no control characters here";
    }
    return std::nullopt;
}

void read_table(const YamlReader& reader, Database database, Target& target) {
    const auto text = reader.text_not_empty();
    if (!text) {
        return;
    }
    const std::string_view whole = text->value;
    const auto dot = whole.find('.');
    auto wrong = refused_identifier(whole.substr(0, dot), database);
    if (!wrong && dot != std::string_view::npos) {
        wrong = refused_identifier(whole.substr(dot + 1), database);
        if (whole.find('.', dot + 1) != std::string_view::npos) {
            wrong = database == Database::postgres ? "write table or schema.table"
                                                   : "write table or keyspace.table";
        }
    }
    if (wrong) {
        reader.problem("'" + reader.path() + "' is " + text->shown(), *wrong);
        return;
    }
    target.table = whole;
}

// What `name` says among `words`, which stand in the order of Value's enumerators from `first`.
template <class Value>
Value read_choice(const YamlMap& map, std::string_view name, settings::Names words, Value otherwise,
                  int first = 0) {
    const auto* reader = map.find(name);
    const auto index = reader != nullptr ? reader->choice(words) : std::nullopt;
    return index ? static_cast<Value>(static_cast<int>(*index) + first) : otherwise;
}

void read_path(const YamlReader& reader, ColumnSource& column) {
    const auto text = reader.text_not_empty();
    if (!text) {
        return;
    }
    auto path = parse_path(text->value);
    if (!path) {
        Error error = std::move(path).error();
        error.detail = "'" + printable(reader.path()) + "': " + error.detail;
        error.op.clear();
        error.code.clear();
        reader.context().problems.add(reader.place(), std::move(error));
        return;
    }
    column.path = *std::move(path);
}

ColumnSource read_column(const YamlMap::Entry& entry, Database database) {
    ColumnSource column;
    column.column = entry.name;
    if (const auto wrong = refused_identifier(entry.name, database)) {
        entry.value.context().problems.add(
            entry.place, "'" + printable(entry.name) + "' can't be a column", *wrong);
    }
    if (entry.value.kind() == YamlNode::Kind::scalar) {
        read_path(entry.value, column);
        return column;
    }
    if (entry.value.kind() != YamlNode::Kind::map) {
        entry.value.problem("'" + printable(entry.value.path()) +
                                "' must say where the column "
                                "comes from",
                            "write a path like value.id, or {from: value.at, unit: ms}");
        return column;
    }
    const auto map = entry.value.map(settings::column);
    if (const auto* from = map->find("from")) {
        read_path(*from, column);
    } else {
        entry.value.problem("'" + printable(entry.value.path()) + ".from' is missing",
                            "for example {from: value.at, unit: ms}");
    }
    column.reading.unit = read_choice(*map, "unit", settings::units, TimeUnit::none, 1);
    column.reading.encoding = read_choice(*map, "encoding", settings::encodings,
                                          BytesEncoding::none, 1);
    if (map->find("unit") != nullptr && map->find("encoding") != nullptr) {
        map->find("encoding")
            ->problem("'" + printable(entry.value.path()) + "' has both a unit and an encoding",
                      "a unit is for times, an encoding for bytes: keep one");
    }
    return column;
}

void read_columns(const YamlReader& reader, Database database, TargetConfig& config) {
    const auto map = reader.open_map("columns with their paths, `column: value.field`");
    if (!map) {
        return;
    }
    if (map->entries().empty()) {
        reader.problem("'" + reader.path() + "' is empty",
                       "leave it out to fill the table's columns by name");
    }
    if (map->entries().size() > columns_max) {
        reader.problem("'" + reader.path() + "' has " + std::to_string(map->entries().size()) +
                           " columns",
                       "a table has at most " + std::to_string(columns_max));
        return;
    }
    for (const auto& entry : map->entries()) {
        config.target.columns.push_back(read_column(entry, database));
        config.column_places.push_back(entry.place);
    }
}

void read_key(const YamlReader& reader, Target& target) {
    const auto texts = reader.texts(false);
    if (!texts) {
        return;
    }
    if (texts->size() > key_columns_max) {
        reader.problem("'" + reader.path() + "' names " + std::to_string(texts->size()) +
                           " columns",
                       "at most " + std::to_string(key_columns_max) + " tell rows apart");
        return;
    }
    std::vector<std::string_view> columns;
    for (const auto& column : target.columns) {
        columns.push_back(column.column);
    }
    Problems& problems = reader.context().problems;
    for (const auto& [text, place] : *texts) {
        if (std::ranges::find(target.key, text.value) != target.key.end()) {
            problems.add(place, "'" + reader.path() + "' names " + text.shown() + " twice",
                         "keep one of them");
            continue;
        }
        target.key.push_back(text.value);
        if (!columns.empty() && std::ranges::find(columns, text.value) == columns.end()) {
            problems.add(place,
                         "'" + reader.path() + "' names " + text.shown() +
                             ", which 'columns' does not fill",
                         allowed_names(text.value, columns));
        }
    }
}

void read_mode(const YamlMap& map, Target& target) {
    const auto* mode = map.find("mode");
    const auto* key = map.find("key");
    const auto* absent = map.find("absent");
    const auto chosen = mode != nullptr ? mode->choice(settings::modes) : 0;
    target.mode = chosen == 1U ? Mode::upsert : Mode::append;
    if (key != nullptr) {
        read_key(*key, target);
    }
    if (absent != nullptr) {
        target.absent_is_null = absent->is_null_word() ||
                                absent->choice(settings::absent_values) == 1U;
    }
    if (target.mode == Mode::upsert && key == nullptr) {
        map.self().problem("'" + map.self().path() +
                               ".key' is missing: an upsert needs the "
                               "columns that tell rows apart",
                           "for example `key: [id]`");
    }
    for (const auto* reader : {key, absent}) {
        if (reader != nullptr && chosen == 0U) {
            reader->problem("'" + reader->path() + "' has no meaning in mode append",
                            "add `mode: upsert`, or remove it");
        }
    }
}

TargetConfig read_target(const YamlReader& reader, Database database) {
    TargetConfig config;
    config.place = reader.place();
    if (reader.is_plain("true")) {
        return config;
    }
    if (reader.kind() != YamlNode::Kind::map) {
        reader.problem("'" + reader.path() +
                           "' must be true, a table's settings, or a list of "
                           "those",
                       "for example {table: orders}; true fills the table events");
        return config;
    }
    const auto map = reader.map(settings::target);
    if (const auto* table = map->find("table")) {
        read_table(*table, database, config.target);
    } else {
        report_missing(reader, "table", "table: orders", "--config FILE");
    }
    if (const auto* columns = map->find("columns")) {
        read_columns(*columns, database, config);
    }
    read_mode(*map, config.target);
    return config;
}

std::vector<TargetConfig> read_targets(const YamlMap& route, std::string_view name,
                                       Database database) {
    std::vector<TargetConfig> targets;
    const auto* reader = route.find(name);
    if (reader == nullptr) {
        return targets;
    }
    for (const auto& item : reader->items()) {
        targets.push_back(read_target(item, database));
    }
    if (targets.empty()) {
        reader->problem("'" + reader->path() + "' is an empty list",
                        "name a table, write true, or remove it");
    }
    return targets;
}

void read_topics(const YamlMap& map, RouteConfig& route) {
    const auto* one = map.find("topic");
    const auto* many = map.find("topics");
    if (one == nullptr && many == nullptr) {
        report_missing(map.self(), "topic", "topic: orders", "--topic orders");
        return;
    }
    if (one != nullptr && many != nullptr) {
        many->problem("'" + map.self().path() + "' has both topic and topics", "keep one of them");
    }
    const YamlReader& reader = one != nullptr ? *one : *many;
    if (one != nullptr && one->kind() == YamlNode::Kind::list) {
        one->problem("'" + one->path() + "' must be one topic, not a list",
                     "write topics: [...] for several");
        return;
    }
    const auto texts = reader.texts(one == nullptr);
    if (!texts) {
        return;
    }
    for (const auto& [text, place] : *texts) {
        if (const auto wrong = refused_name(text.value, topic_bytes_max)) {
            map.self().context().problems.add(place, "'" + reader.path() + "' is " + text.shown(),
                                              "a topic's name " + *wrong);
            continue;
        }
        route.topics.push_back(text.value);
    }
}

std::string read_dead_letter_table(const YamlReader& reader, bool postgres, bool cassandra) {
    Target target;
    if (postgres) {
        read_table(reader, Database::postgres, target);
    }
    // One complaint is enough where the name is neither's.
    if (cassandra && (!postgres || !target.table.empty())) {
        target.table.clear();
        read_table(reader, Database::cassandra, target);
    }
    return target.table;
}

std::string read_dead_letter_topic(const YamlReader& reader,
                                   const std::vector<RouteConfig>& routes) {
    const auto text = reader.text_not_empty();
    if (!text) {
        return {};
    }
    if (const auto wrong = refused_name(text->value, topic_bytes_max)) {
        reader.problem("'" + reader.path() + "' is " + text->shown(), "a topic's name " + *wrong);
        return {};
    }
    for (const auto& route : routes) {
        if (std::ranges::find(route.topics, text->value) != route.topics.end()) {
            reader.problem("the topic '" + text->value + "' is read by a route (" +
                               route.place.to_string() + "): its dead letters would be read again",
                           "name another topic");
        }
    }
    return text->value;
}

}  // namespace

std::vector<RouteConfig> read_routes(const YamlReader& list) {
    std::vector<RouteConfig> routes;
    if (list.kind() != YamlNode::Kind::list) {
        list.problem("'routes' must be a list", "begin each route with a dash: `- topic: orders`");
        return routes;
    }
    if (list.items().empty()) {
        list.problem("'routes' is an empty list", "for example `- topic: orders`");
    }
    for (const auto& item : list.items()) {
        const auto map = item.map(settings::route);
        if (!map) {
            continue;
        }
        RouteConfig route;
        route.place = item.place();
        read_topics(*map, route);
        route.key_format = read_choice(*map, "key", settings::formats, Format::string);
        route.value_format = read_choice(*map, "value", settings::formats, Format::json);
        route.postgres = read_targets(*map, "postgres", Database::postgres);
        route.cassandra = read_targets(*map, "cassandra", Database::cassandra);
        routes.push_back(std::move(route));
    }
    return routes;
}

void check_topics(const std::vector<RouteConfig>& routes, Problems& problems) {
    std::map<std::string_view, const RouteConfig*> seen;
    for (const auto& route : routes) {
        for (const auto& topic : route.topics) {
            const auto [before, is_new] = seen.emplace(topic, &route);
            if (!is_new) {
                problems.add(route.place,
                             "the topic '" + topic + "' stands in a route already (" +
                                 before->second->place.to_string() + ")",
                             "give one route several targets instead");
            }
        }
    }
}

DeadLettersConfig read_dead_letters(const YamlReader& reader, bool postgres, bool cassandra,
                                    const std::vector<RouteConfig>& routes) {
    DeadLettersConfig config;
    config.place = reader.place();
    if (reader.kind() == YamlNode::Kind::scalar) {
        (void)reader.choice(settings::dead_letters_words);
        return config;
    }
    const auto map = reader.map(settings::dead_letters);
    if (!map) {
        return config;
    }
    const auto* table = map->find("table");
    const auto* topic = map->find("topic");
    if (table == nullptr && topic == nullptr) {
        report_missing(map->self(), "table", "dead_letters: {table: dead_letters}", "a file");
    } else if (table != nullptr && topic != nullptr) {
        topic->problem("'dead_letters' has both table and topic", "keep one of them");
    } else if (topic != nullptr) {
        config.topic = read_dead_letter_topic(*topic, routes);
    } else {
        config.table = read_dead_letter_table(*table, postgres, cassandra);
    }
    return config;
}

}  // namespace sluice
