#include <algorithm>
#include <map>

#include "app/config_sections.hpp"
#include "app/topic_pattern.hpp"
#include "base/text.hpp"

namespace sluice {
namespace {

void read_pattern(const YamlReader& reader, RouteConfig& route) {
    const auto text = reader.text_not_empty();
    if (!text) {
        return;
    }
    if (!TopicPattern::parse(text->value)) {
        reader.problem("'" + reader.path() + "' is " + text->shown() +
                           ", which is no regular expression",
                       "for example 'shop[.]public[.](.+)'");
        return;
    }
    route.topic_pattern = text->value;
}

void read_topics(const YamlMap& map, RouteConfig& route) {
    const auto* one = map.find("topic");
    const auto* many = map.find("topics");
    if (const auto* pattern = map.find("topic_pattern")) {
        if (one != nullptr || many != nullptr) {
            pattern->problem("'" + map.self().path() + "' has topics and a topic_pattern",
                             "keep one of them");
        }
        read_pattern(*pattern, route);
        return;
    }
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

// Change events come from Kafka Connect.
void read_formats(const YamlMap& map, RouteConfig& route) {
    const auto is_change = [](const TargetConfig& config) {
        return config.target.mode == Mode::changes;
    };
    const bool changes = std::ranges::any_of(route.postgres, is_change) ||
                         std::ranges::any_of(route.cassandra, is_change);
    route.key_format = read_choice(map, "key", settings::formats,
                                   changes ? Format::connect_json : Format::string);
    route.value_format = read_choice(map, "value", settings::formats,
                                     changes ? Format::connect_json : Format::json);
    route.duplicate_names = read_choice(map, "duplicate_names", settings::duplicate_names,
                                        DuplicateNames::refused);
    if (changes && !is_json(route.value_format)) {
        map.find("value")->problem("'" + map.self().path() +
                                       ".value' is no JSON, and mode changes reads envelopes",
                                   "write value: connect_json, or remove it");
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
        route.postgres = read_targets(*map, "postgres", Database::postgres);
        route.cassandra = read_targets(*map, "cassandra", Database::cassandra);
        read_formats(*map, route);
        check_table_names(route, item.context().problems);
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
