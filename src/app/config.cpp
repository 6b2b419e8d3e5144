#include "app/config.hpp"

#include <fmt/chrono.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "app/address.hpp"
#include "app/config_sections.hpp"
#include "app/yaml_reader.hpp"
#include "base/text.hpp"
#include "kafka/client.hpp"
#include "model/convert.hpp"

namespace sluice {
namespace {

// Kafka takes 249 bytes for a group; the lane's name is appended to the pipeline's.
constexpr std::size_t pipeline_bytes_max = 200;
// Kafka takes 249 bytes; a suffix makes it the name of a file, which may have 255.
constexpr std::size_t instance_bytes_max = 200;
constexpr std::int64_t second_ms = 1000;
constexpr std::int64_t mib = 1 << 20;
// OpenTelemetry's default for what Prometheus reads.
constexpr int http_port = 9464;

bool from_flags(const Place& place) { return place.line == 0; }

std::string spell_time(std::int64_t ms) {
    const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds{ms}};
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    return seconds == time ? fmt::format("{:%FT%T}Z", seconds) : fmt::format("{:%FT%T}Z", time);
}

std::optional<StartPolicy> read_start(const YamlReader& reader) {
    constexpr std::array<std::string_view, 3> words{"earliest", "latest", "error"};
    const auto value = reader.text();
    if (!value) {
        return std::nullopt;
    }
    StartPolicy start;
    start.given = true;
    start.spelling = value->value;
    const auto word = std::ranges::find(words, value->value);
    if (word != words.end()) {
        start.kind = static_cast<StartPolicy::Kind>(word - words.begin());
        return start;
    }
    Cell cell;
    cell.kind = CellKind::text;
    cell.text = value->value;
    const auto time_us = convert::timestamp_us(cell, convert::Zone::required);
    if (!time_us || *time_us < 0) {
        reader.problem("'" + reader.path() + "' is " + value->shown(),
                       allowed_names(value->value, words) +
                           "; a time since 1970 is allowed too, like 2026-01-31T08:00:00Z");
        return std::nullopt;
    }
    start.kind = StartPolicy::Kind::time;
    start.time_ms = *time_us / 1000;
    // One spelling for one instant, without a space: it is kept in the group's commits.
    start.spelling = spell_time(start.time_ms);
    return start;
}

void read_property(const YamlMap::Entry& entry, const ConfigChecks& checks, KafkaConfig& kafka) {
    const auto value = entry.value.text();
    Problems& problems = entry.value.context().problems;
    if (auto why = checks.refused_property(entry.name)) {
        problems.add(entry.place, "'" + printable(entry.value.path()) + "' can't be set: " + *why);
        return;
    }
    if (!value) {
        return;
    }
    if (auto known = checks.check_property(entry.name, value->value); !known) {
        Error error = std::move(known).error();
        // librdkafka's text may quote the value.
        if (value->references || kafka::secret_property(entry.name)) {
            error.detail = "librdkafka refuses the name or the value";
            error.hint.clear();
        }
        error.detail = "'" + printable(entry.value.path()) + "': " + error.detail;
        problems.add(entry.place, std::move(error));
        return;
    }
    kafka.properties.emplace_back(entry.name, value->value);
    kafka.property_spellings.push_back(value->references ? value->spelling : "");
}

void read_pipeline(const YamlMap& map, Config& config) {
    const YamlReader* reader = map.find("pipeline");
    if (reader != nullptr) {
        const auto text = reader->text_not_empty();
        if (!text) {
            return;
        }
        config.pipeline = text->value;
    } else if (!config.routes.empty() && !config.routes.front().topics.empty()) {
        config.pipeline = "sluice-" + config.routes.front().topics.front();
    } else {
        if (!config.routes.empty() && !config.routes.front().topic_pattern.empty()) {
            report_missing(map.self(), "pipeline", "pipeline: shop", "--pipeline shop");
        }
        return;
    }
    if (const auto wrong = refused_name(config.pipeline, pipeline_bytes_max)) {
        const auto& at = reader != nullptr ? *reader : map.self();
        at.problem("'pipeline' " + *wrong,
                   reader != nullptr ? "it names the consumer groups"
                                     : "its default is sluice-<first topic>; give it a name");
    }
}

void read_instance(const YamlMap& map, Config& config) {
    const YamlReader* reader = map.find("instance");
    const auto text = reader == nullptr ? std::nullopt : reader->text_not_empty();
    if (!text) {
        return;
    }
    if (const auto wrong = refused_name(text->value, instance_bytes_max)) {
        reader->problem("'instance' " + *wrong, "it names this process in the consumer groups");
    }
    config.instance = text->value;
}

void check_routed(const Config& config, const YamlMap& map, Problems& problems) {
    const auto feeds = [&](auto member) {
        return std::ranges::any_of(config.routes,
                                   [&](const auto& route) { return !(route.*member).empty(); });
    };
    for (const auto& route : config.routes) {
        const auto without = [&](const std::vector<TargetConfig>& targets, std::string_view name) {
            if (!targets.empty() && map.find(name) == nullptr) {
                problems.add(targets.front().place,
                             "a route feeds '" + std::string(name) +
                                 "', which the file does not configure",
                             "add the section '" + std::string(name) + "', or remove this target");
            }
        };
        without(route.postgres, "postgres");
        without(route.cassandra, "cassandra");
    }
    const auto unfed = [&](const YamlReader* section, bool fed) {
        if (section != nullptr && !fed && !config.routes.empty()) {
            section->problem("no route feeds '" + section->path() + "'",
                             "add `" + section->path() +
                                 ": true` or a table to a route, or "
                                 "remove the section");
        }
    };
    unfed(map.find("postgres"), feeds(&RouteConfig::postgres));
    unfed(map.find("cassandra"), feeds(&RouteConfig::cassandra));
}

// A route that names no target feeds the zero-config table of every database.
void complete_routes(Config& config, const YamlMap& map) {
    for (auto& route : config.routes) {
        if (!route.postgres.empty() || !route.cassandra.empty()) {
            continue;
        }
        TargetConfig events;
        events.place = route.place;
        if (map.find("postgres") != nullptr) {
            route.postgres.push_back(events);
        }
        if (map.find("cassandra") != nullptr) {
            route.cassandra.push_back(events);
        }
    }
}

void read_databases(const YamlMap& map, Config& config) {
    if (const auto* reader = map.find("postgres")) {
        if (const auto section = reader->map(settings::postgres)) {
            config.postgres = read_postgres(*section);
        }
    }
    if (const auto* reader = map.find("cassandra")) {
        if (const auto section = reader->map(settings::cassandra)) {
            config.cassandra = read_cassandra(*section);
        }
    }
    if (map.find("postgres") == nullptr && map.find("cassandra") == nullptr) {
        map.self().problem("no database is configured",
                           from_flags(map.self().place())
                               ? "give --postgres URL, --cassandra HOST/KEYSPACE, or both"
                               : "add a section 'postgres', 'cassandra', or both");
    }
}

void read_timeouts(const YamlMap& map, Config& config) {
    if (const auto* reader = map.find("start_timeout")) {
        config.start_timeout_ms =
            reader->duration_ms(second_ms, 3600 * second_ms, "1s to 1h").value_or(second_ms);
    }
    if (const auto* reader = map.find("drain_timeout")) {
        config.drain_timeout_ms =
            reader->duration_ms(second_ms, 600 * second_ms, "1s to 10m").value_or(second_ms);
    }
}

void read_memory(const YamlMap& map, Config& config) {
    if (const auto* reader = map.find("memory")) {
        config.memory =
            reader->bytes(128 * mib, 65536 * mib, "128MiB to 64GiB").value_or(config.memory);
    }
}

void read_http(const YamlMap& map, Config& config) {
    const auto* reader = map.find("http");
    const auto section = reader != nullptr ? reader->map(settings::http) : std::nullopt;
    if (!section) {
        return;
    }
    const auto* listen = section->find("listen");
    if (listen == nullptr) {
        report_missing(section->self(), "listen", "listen: 127.0.0.1:9464",
                       "--http 127.0.0.1:9464");
        return;
    }
    const auto text = listen->text_not_empty();
    if (!text) {
        return;
    }
    auto address = parse_listen_address(text->value, http_port);
    if (!address) {
        Error error = std::move(address).error();
        error.detail = "'" + listen->path() + "': " + error.detail;
        listen->context().problems.add(listen->place(), std::move(error));
        return;
    }
    config.http = HttpConfig{*std::move(address)};
}

KafkaConfig find_kafka(const YamlMap& map, const ConfigChecks& checks) {
    const auto* reader = map.find("kafka");
    if (reader == nullptr) {
        report_missing(map.self(), "kafka.brokers", "kafka: {brokers: [localhost:9092]}",
                       "--brokers localhost:9092");
        return {};
    }
    const auto section = reader->map(settings::kafka);
    return section ? read_kafka(*section, checks) : KafkaConfig{};
}

}  // namespace

std::string Place::to_string() const {
    if (line == 0) {
        return file;
    }
    return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::optional<std::string> refused_name(std::string_view name, std::size_t bytes_max) {
    if (name.empty() || name == "." || name == "..") {
        return "must not be empty, . or ..";
    }
    if (name.size() > bytes_max) {
        return "has " + std::to_string(name.size()) + " bytes; at most " +
               std::to_string(bytes_max) + " are allowed";
    }
    const auto allowed = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
    };
    if (!std::ranges::all_of(name, allowed)) {
        return "may hold letters, digits, '.', '_' and '-' only";
    }
    return std::nullopt;
}

std::vector<std::string> read_addresses(const YamlReader& reader, int port_default) {
    std::vector<std::string> addresses;
    const auto texts = reader.texts(true);
    if (!texts) {
        return addresses;
    }
    for (const auto& [text, place] : *texts) {
        auto address = parse_host_port(text.value, port_default);
        if (address) {
            addresses.push_back(*std::move(address));
            continue;
        }
        Error error = std::move(address).error();
        error.detail = "'" + reader.path() + "': " + error.detail;
        reader.context().problems.add(place, std::move(error));
    }
    return addresses;
}

void report_missing(const YamlReader& section, std::string_view name, std::string_view example,
                    std::string_view flag) {
    const std::string path = section.path().empty() ? std::string(name)
                                                    : section.path() + "." + std::string(name);
    section.problem("'" + path + "' is missing",
                    from_flags(section.place()) ? "give " + std::string(flag)
                                                : "for example `" + std::string(example) + "`");
}

KafkaConfig read_kafka(const YamlMap& map, const ConfigChecks& checks) {
    KafkaConfig kafka;
    kafka.place = map.self().place();
    if (const auto* reader = map.find("brokers")) {
        kafka.brokers = read_addresses(*reader, 9092);
    } else {
        report_missing(map.self(), "brokers", "brokers: [localhost:9092]",
                       "--brokers localhost:9092");
    }
    if (const auto* reader = map.find("start")) {
        kafka.start = read_start(*reader).value_or(StartPolicy{});
    }
    if (const auto* reader = map.find("properties")) {
        if (const auto properties = reader->open_map("librdkafka's settings, `name: value`")) {
            for (const auto& entry : properties->entries()) {
                read_property(entry, checks, kafka);
            }
        }
    }
    return kafka;
}

tl::expected<KafkaConfig, std::vector<Error>> read_kafka_alone(const YamlNode& root,
                                                               const ConfigChecks& checks) {
    Problems problems;
    const YamlReader reader(root, "", {checks.environment, problems});
    KafkaConfig kafka;
    if (const auto map = reader.map(settings::root)) {
        kafka = find_kafka(*map, checks);
    }
    if (!problems.empty()) {
        return tl::unexpected(problems.take());
    }
    return kafka;
}

ConfigResult read_config(const YamlNode& root, const ConfigChecks& checks) {
    Problems problems;
    const YamlReader reader(root, "", {checks.environment, problems});
    Config config;
    const auto map = reader.map(settings::root);
    if (!map) {
        return tl::unexpected(problems.take());
    }
    config.kafka = find_kafka(*map, checks);
    read_databases(*map, config);
    if (const auto* routes = map->find("routes")) {
        config.routes = read_routes(*routes);
    } else {
        report_missing(reader, "routes", "routes: [{topic: orders}]", "--topic orders");
    }
    if (const auto* letters = map->find("dead_letters")) {
        config.dead_letters = read_dead_letters(*letters, map->find("postgres") != nullptr,
                                                map->find("cassandra") != nullptr, config.routes);
    }
    complete_routes(config, *map);
    check_routed(config, *map, problems);
    check_topics(config.routes, problems);
    read_pipeline(*map, config);
    read_instance(*map, config);
    read_timeouts(*map, config);
    read_memory(*map, config);
    read_http(*map, config);
    if (!problems.empty()) {
        return tl::unexpected(problems.take());
    }
    return config;
}

ConfigResult parse_config(std::string_view text, const std::string& file,
                          const ConfigChecks& checks) {
    auto root = parse_yaml(text, file);
    if (!root) {
        return tl::unexpected(std::vector{std::move(root).error()});
    }
    return read_config(*root, checks);
}

ConfigResult load_config(const std::string& file, const ConfigChecks& checks) {
    auto text = read_small_file(file, yaml_bytes_max);
    if (!text) {
        Error error = std::move(text).error();
        error.where = file;
        error.detail = "the configuration file " + error.detail;
        return tl::unexpected(std::vector{std::move(error)});
    }
    return parse_config(*text, file, checks);
}

}  // namespace sluice
