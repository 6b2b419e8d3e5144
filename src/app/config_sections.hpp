// How the parts of a configuration are read; inside app only. Flags are read by these too: they
// become the tree that a file with the same meaning would give.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.hpp"
#include "app/yaml_reader.hpp"

namespace sluice {

// The whole. `root` may come from a file or from flags (then its place has line 0, and hints
// name flags).
ConfigResult read_config(const YamlNode& root, const ConfigChecks& checks);

// Only the section `kafka` of such a tree, for commands that need no database.
tl::expected<KafkaConfig, std::vector<Error>> read_kafka_alone(const YamlNode& root,
                                                               const ConfigChecks& checks);

KafkaConfig read_kafka(const YamlMap& map, const ConfigChecks& checks);
PostgresConfig read_postgres(const YamlMap& map);
CassandraConfig read_cassandra(const YamlMap& map);
std::vector<RouteConfig> read_routes(const YamlReader& list);
enum class Database : std::uint8_t { postgres, cassandra };
// A route's targets in one database, `name`; empty where it has none there.
std::vector<TargetConfig> read_targets(const YamlMap& route, std::string_view name,
                                       Database database);
void read_table(const YamlReader& reader, Database database, Target& target);
// `table` and `tables` of a target; the name may be made of something.
void read_table_name(const YamlMap& target_map, Database database, TargetConfig& config);
// Why this is no name of a column or a part of a table's, or of a table; nothing where it is.
std::optional<std::string> refused_identifier(std::string_view name, Database database);
std::optional<std::string> refused_table(std::string_view name, Database database);
// Names that are made of what the route's topics don't have.
void check_table_names(const RouteConfig& route, Problems& problems);
// A path; nothing where it is none, which is reported, at `place` or the reader's.
std::optional<Path> parsed_path_at(const YamlReader& reader, std::string_view text,
                                   const Place& place);
std::optional<Path> parsed_path(const YamlReader& reader, std::string_view text);
// `create` and `evolve` of a target that is read otherwise.
void read_creation(const YamlMap& target_map, Database database, Target& target);
// `when` and `deleted` of a target whose mode is known.
void read_conditions(const YamlMap& target_map, Target& target);
// `each`, after the mode; and without it no path may lead into an item.
void read_each(const YamlReader& reader, Target& target);
void check_no_items(const YamlReader& reader, const TargetConfig& config);
// No topic may stand in two routes.
void check_topics(const std::vector<RouteConfig>& routes, Problems& problems);
// `postgres`, `cassandra`: which databases the table is to be in. No route may read the topic.
DeadLettersConfig read_dead_letters(const YamlReader& reader, bool postgres, bool cassandra,
                                    const std::vector<RouteConfig>& routes);

// What `name` says among `words`, which stand in the order of Value's enumerators from `first`.
template <class Value>
Value read_choice(const YamlMap& map, std::string_view name, settings::Names words, Value otherwise,
                  int first = 0) {
    const auto* reader = map.find(name);
    const auto index = reader != nullptr ? reader->choice(words) : std::nullopt;
    return index ? static_cast<Value>(static_cast<int>(*index) + first) : otherwise;
}

// Hosts with their ports, from a list or one text with commas; bad ones are reported and left out.
std::vector<std::string> read_addresses(const YamlReader& reader, int port_default);

// "'kafka.brokers' is missing", with what to write in a file or which flag to give.
void report_missing(const YamlReader& section, std::string_view name, std::string_view example,
                    std::string_view flag);

inline constexpr std::size_t topic_bytes_max = 249;  // Kafka's own limit.
// [A-Za-z0-9._-], as Kafka's own names; says what is wrong.
std::optional<std::string> refused_name(std::string_view name, std::size_t bytes_max);

}  // namespace sluice
