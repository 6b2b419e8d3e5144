#include "app/expand.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "app/config_sections.hpp"
#include "app/table_template.hpp"
#include "app/topic_pattern.hpp"
#include "base/check.hpp"

namespace sluice {
namespace {

bool follows_changes(const RouteConfig& route) {
    const auto is_change = [](const TargetConfig& config) {
        return config.target.mode == Mode::changes;
    };
    return std::ranges::any_of(route.postgres, is_change) ||
           std::ranges::any_of(route.cassandra, is_change);
}

// Where Debezium tells which transactions began and ended.
bool is_transaction_log(std::string_view topic) {
    const auto dot = topic.find('.');
    return dot != std::string_view::npos && topic.substr(dot) == ".transaction";
}

// The topics of each route, as in config.routes.
std::vector<std::vector<TopicMatch>> topics_by_route(const Config& config,
                                                     std::span<const std::string> names) {
    std::vector<std::vector<TopicMatch>> found(config.routes.size());
    std::set<std::string> taken{config.dead_letters.topic};
    for (std::size_t i = 0; i < config.routes.size(); ++i) {
        for (const auto& topic : config.routes[i].topics) {
            found[i].push_back({.topic = topic, .groups = {}});
            taken.insert(topic);
        }
    }
    const std::set<std::string> ordered(names.begin(), names.end());
    for (std::size_t i = 0; i < config.routes.size(); ++i) {
        const RouteConfig& route = config.routes[i];
        const auto pattern = route.topic_pattern.empty() ? std::nullopt
                                                         : TopicPattern::parse(route.topic_pattern);
        for (const auto& name : pattern ? ordered : std::set<std::string>{}) {
            auto match = pattern->match(name);
            if (match && !(is_transaction_log(name) && follows_changes(route)) &&
                taken.insert(name).second) {
                found[i].push_back(*std::move(match));
            }
        }
    }
    return found;
}

TableTemplate name_of(const TargetConfig& target) {
    auto name = parse_table_template(target.target.table);
    check(name.has_value(), "the configuration was read");
    return *std::move(name);
}

bool depends_on_topic(const RouteConfig& route) {
    const auto does = [](const TargetConfig& target) {
        const TableTemplate name = name_of(target);
        return name.has(TableTemplate::Part::topic) || name.has(TableTemplate::Part::group);
    };
    return std::ranges::any_of(route.postgres, does) || std::ranges::any_of(route.cassandra, does);
}

Error no_table(const TargetConfig& target, const TopicMatch& topic, const std::string& table,
               const std::string& why) {
    return {.action = Action::configure,
            .op = "config.table",
            .where = target.place.to_string(),
            .code = {},
            .detail = "the topic '" + topic.topic + "' would fill the table '" + table +
                      "': " + why,
            .hint = "leave it out of topic_pattern, or give it a route of its own"};
}

Condition one_of(const Path& field, std::vector<std::string> values) {
    Condition condition;
    condition.terms.push_back({.path = field, .values = std::move(values)});
    return condition;
}

Result<std::vector<TargetConfig>> expand_targets(const std::vector<TargetConfig>& targets,
                                                 Database database, const TopicMatch& topic) {
    std::vector<TargetConfig> out;
    for (const auto& from : targets) {
        const TableTemplate name = name_of(from);
        const auto values = name.field ? from.tables : std::vector<std::string>{""};
        for (const auto& value : values) {
            TargetConfig target = from;
            target.tables.clear();
            target.target.table = fill_table_template(name, topic, value);
            if (name.field) {
                target.target.branch = Branch{.mine = one_of(*name.field, {value}),
                                              .anyone = one_of(*name.field, from.tables)};
            }
            const auto wrong = target.target.table.empty()  // The table of events.
                                   ? std::nullopt
                                   : refused_table(target.target.table, database);
            if (wrong) {
                return fail(no_table(target, topic, target.target.table, *wrong));
            }
            out.push_back(std::move(target));
        }
    }
    return out;
}

Result<RouteConfig> expand_route(const RouteConfig& from, std::span<const TopicMatch> topics) {
    RouteConfig route = from;
    route.topic_pattern.clear();
    route.topics.clear();
    for (const auto& topic : topics) {
        route.topics.push_back(topic.topic);
    }
    SLUICE_ASSIGN(route.postgres,
                  expand_targets(from.postgres, Database::postgres, topics.front()));
    SLUICE_ASSIGN(route.cassandra,
                  expand_targets(from.cassandra, Database::cassandra, topics.front()));
    return route;
}

}  // namespace

bool finds_topics(const Config& config) {
    return std::ranges::any_of(config.routes,
                               [](const auto& route) { return !route.topic_pattern.empty(); });
}

Expanded expand(const Config& config, std::span<const std::string> names) {
    Expanded out{.config = config, .refused = {}};
    out.config.routes.clear();
    const auto topics = topics_by_route(config, names);
    for (std::size_t i = 0; i < config.routes.size(); ++i) {
        const RouteConfig& route = config.routes[i];
        const std::span all(topics[i]);
        const std::size_t step = depends_on_topic(route) ? 1 : std::max<std::size_t>(all.size(), 1);
        for (std::size_t first = 0; first < all.size(); first += step) {
            auto expanded = expand_route(route, all.subspan(first, step));
            if (expanded) {
                out.config.routes.push_back(*std::move(expanded));
            } else {
                out.refused.push_back(std::move(expanded).error());
            }
        }
    }
    return out;
}

}  // namespace sluice
