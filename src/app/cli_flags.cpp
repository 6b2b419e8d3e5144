#include "app/cli_flags.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "app/address.hpp"
#include "app/config_sections.hpp"
#include "app/interpolate.hpp"
#include "app/settings.hpp"
#include "app/yaml_tree.hpp"
#include "kafka/client.hpp"

namespace sluice {
namespace {

constexpr Flag config_flag{"-c,--config", "", "FILE", "Configuration",
                           "the configuration file, in place of the flags below"};
constexpr Flag property_flag{"-X", "kafka.properties", "NAME=VALUE", "Kafka",
                             "a setting of librdkafka; repeat for more"};
constexpr Flag cassandra_flag{"--cassandra", "cassandra.hosts", "HOST[,HOST]/KEYSPACE", "Cassandra",
                              "hosts as host[:9042], and the keyspace"};
constexpr Flag postgres_file_flag{"--postgres-password-file", "postgres.password", "FILE",
                                  "PostgreSQL", "holds the password (default: $PGPASSWORD)"};
constexpr Flag cassandra_file_flag{"--cassandra-password-file", "cassandra.password", "FILE",
                                   "Cassandra",
                                   "holds the password (default: $CASSANDRA_PASSWORD)"};
constexpr Flag postgres_password_flag{"--postgres-password", "postgres.password", "TEXT",
                                      "PostgreSQL", "visible to others: better the file"};
constexpr Flag cassandra_password_flag{"--cassandra-password", "cassandra.password", "TEXT",
                                       "Cassandra", "visible to others: better the file"};
constexpr Flag postgres_flag{"--postgres", "postgres.url", "URL", "PostgreSQL",
                             "postgresql://HOST/DATABASE, or jdbc:postgresql://…"};
constexpr Flag brokers_flag{"--brokers", "kafka.brokers", "HOST[,HOST]", "Kafka",
                            "the brokers as host[:9092]"};
constexpr Flag topic_flag{"--topic", "routes[].topics", "NAME[,NAME]", "Kafka",
                          "the topics; repeat, or separate with commas"};

// In the order of the help. Those whose value is put into the tree as it is have one setting.
constexpr std::array pipeline_flags{
    brokers_flag,
    topic_flag,
    Flag{"--group,--pipeline", "pipeline", "NAME", "Kafka",
         "the pipeline's name (default: sluice-TOPIC)"},
    Flag{"--instance", "instance", "NAME", "Kafka",
         "this process's own name: a restart within 8s moves nothing"},
    Flag{"--start", "kafka.start", "WHEN", "Kafka", "earliest (default), latest, error, or a time"},
    Flag{"--key", "routes[].key", "FORMAT", "Kafka", "of keys: json, string (default), bytes"},
    Flag{"--value", "routes[].value", "FORMAT", "Kafka",
         "of values: json (default), string, bytes"},
    property_flag,
    postgres_flag,
    Flag{"--postgres-user", "postgres.user", "NAME", "PostgreSQL", "the user, if not in the URL"},
    postgres_file_flag,
    postgres_password_flag,
    Flag{"--pool", "postgres.pool", "N", "PostgreSQL", "connections, 1 to 64 (default: 1)"},
    cassandra_flag,
    Flag{"--cassandra-user", "cassandra.username", "NAME", "Cassandra",
         "the user, if not in --cassandra as USER@HOST"},
    cassandra_file_flag,
    cassandra_password_flag,
    Flag{"--local-dc", "cassandra.local_dc", "NAME", "Cassandra", "the local data centre"},
    Flag{"--start-timeout", "start_timeout", "TIME", "Timing and memory",
         "wait so long for the servers (default: 30s)"},
    Flag{"--drain-timeout", "drain_timeout", "TIME", "Timing and memory",
         "finish within it when stopped (default: 25s)"},
    Flag{"--memory", "memory", "SIZE", "Timing and memory",
         "of the whole process (default: 256MiB)"},
    Flag{"--http", "http.listen", "ADDRESS:PORT", "Watching",
         "/metrics, /healthz, /readyz, as 127.0.0.1:9464"},
};

Place at_flag(std::string_view flag) { return {.file = std::string(flag), .line = 0, .column = 0}; }

// The tree that a file with the same meaning would give; each value's place is its flag.
class FlagTree {
public:
    explicit FlagTree(std::vector<std::string>& warnings) : warnings_(warnings) {}

    void put(const Flag& flag, const std::string& value) {
        if (flag.name() == topic_flag.name()) {
            put_topic(value);
        } else if (flag.name() == property_flag.name()) {
            put_property(value);
        } else if (flag.name() == cassandra_flag.name()) {
            put_cassandra(value);
        } else if (flag.name() == postgres_file_flag.name() ||
                   flag.name() == cassandra_file_flag.name()) {
            put_password_file(flag, value);
        } else if (flag.name() == postgres_password_flag.name() ||
                   flag.name() == cassandra_password_flag.name()) {
            warn_visible(flag.name());
            // As it is: a password is not searched for references.
            put_text(flag.setting, flag.name(), escape_references(value));
        } else {
            if (flag.name() == postgres_flag.name()) {
                const auto url = parse_postgres_url(value);
                warn_unless_reference(flag.name(), url ? url->password : std::nullopt);
            }
            put_text(flag.setting, flag.name(), value);
        }
    }
    [[nodiscard]] const YamlNode& root() const { return root_; }
    std::vector<Error> take_problems() { return problems_.take(); }

private:
    YamlNode& member(YamlNode& map, std::string_view name, YamlNode otherwise) {
        const auto found = std::ranges::find(map.members, name,
                                             [](const auto& entry) { return entry.key.text; });
        if (found != map.members.end()) {
            return found->value;
        }
        add_member(map, name, std::move(otherwise));
        return map.members.back().value;
    }
    // The map that holds the last name of `setting`: the root, a section, or the one route.
    YamlNode& parent_of(std::string_view setting) {
        const auto dot = setting.find('.');
        if (dot == std::string_view::npos) {
            return root_;
        }
        const auto section = setting.substr(0, dot);
        if (section != "routes[]") {
            return member(root_, section, map_node(at_flag("the command line")));
        }
        YamlNode list = map_node(at_flag("the command line"));
        list.kind = YamlNode::Kind::list;
        YamlNode& routes = member(root_, "routes", std::move(list));
        if (routes.items.empty()) {
            routes.items.push_back(map_node(at_flag("the command line")));
        }
        return routes.items.front();
    }
    void put_text(std::string_view setting, std::string_view flag, std::string value) {
        // A flag given twice becomes a repeated setting, which the reader reports.
        add_member(parent_of(setting), setting.substr(setting.rfind('.') + 1),
                   scalar_node(std::move(value), at_flag(flag)));
    }
    void put_topic(const std::string& value) {
        YamlNode list = map_node(at_flag(topic_flag.name()));
        list.kind = YamlNode::Kind::list;
        YamlNode& topics = member(parent_of(topic_flag.setting), "topics", std::move(list));
        topics.items.push_back(scalar_node(value, at_flag(topic_flag.name())));
    }
    void put_property(const std::string& value) {
        const auto equals = value.find('=');
        if (equals == std::string::npos || equals == 0) {
            problems_.add(at_flag(property_flag.name()), "this is not NAME=VALUE",
                          "for example -X security.protocol=ssl");
            return;
        }
        const std::string name = value.substr(0, equals);
        const std::string text = value.substr(equals + 1);
        if (kafka::secret_property(name)) {
            warn_unless_reference("-X " + name, text);
        }
        YamlNode& properties = member(parent_of(property_flag.setting), "properties",
                                      map_node(at_flag("-X")));
        add_member(properties, name, scalar_node(text, at_flag("-X")));
    }
    void put_cassandra(const std::string& value) {
        auto address = parse_cassandra_address(value);
        if (!address) {
            problems_.add(at_flag(cassandra_flag.name()), std::move(address).error());
            return;
        }
        const auto flag = cassandra_flag.name();
        put_text("cassandra.hosts", flag, address->hosts);
        put_text("cassandra.keyspace", flag, address->keyspace);
        if (address->user) {
            put_text("cassandra.username", flag, *address->user);
        }
        if (address->password) {
            warn_unless_reference(flag, address->password);
            put_text("cassandra.password", flag, *address->password);
        }
    }
    void put_password_file(const Flag& flag, const std::string& value) {
        std::error_code ignored;
        const std::string path = std::filesystem::absolute(value, ignored).string();
        if (value.empty() || path.find('}') != std::string::npos) {
            problems_.add(at_flag(flag.name()), "this can't be the path of a password file",
                          "name a file, without } in its path");
            return;
        }
        put_text(flag.setting, flag.name(), "${file:" + path + "}");
    }
    void warn_visible(std::string_view flag) {
        warnings_.push_back(std::string(flag) +
                            ": a password on the command line is visible to every user of this "
                            "machine; give it by a file or the environment");
    }
    void warn_unless_reference(std::string_view flag, const std::optional<std::string>& secret) {
        if (secret && !secret->empty() && !is_bare_reference(*secret)) {
            warn_visible(flag);
        }
    }

    YamlNode root_ = map_node(at_flag("the command line"));
    Problems problems_;
    std::vector<std::string>& warnings_;
};

// In the order of the table, whatever the order on the command line: errors then come alike.
void fill(FlagTree& tree, const FlagValues& values) {
    for (const auto& flag : pipeline_flags) {
        const auto given = values.find(flag.name());
        if (given == values.end()) {
            continue;
        }
        for (const auto& value : given->second) {
            tree.put(flag, value);
        }
    }
}

// A file says all of it, or the flags do: no rule about which of the two wins.
std::vector<Error> flags_beside_file(const FlagValues& values) {
    Problems problems;
    for (const auto& flag : pipeline_flags) {
        if (values.contains(flag.name())) {
            problems.add(at_flag(flag.name()), "this flag can't stand beside --config",
                         "say '" + std::string(flag.setting) + "' in the file");
        }
    }
    return problems.take();
}

}  // namespace

void add_flag(CLI::App& command, FlagValues& values, const Flag& flag) {
    const std::string name(flag.name());
    command
        .add_option(std::string(flag.names),
                    CLI::callback_t([&values, name](const CLI::results_t& given) {
                        values[name] = given;
                        return true;
                    }),
                    std::string(flag.help))
        ->type_name(std::string(flag.label))
        ->group(std::string(flag.group))
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_pipeline_flags(CLI::App& command, FlagValues& values) {
    add_config_flag(command, values);
    for (const auto& flag : pipeline_flags) {
        add_flag(command, values, flag);
    }
}

void add_proposal_flags(CLI::App& command, FlagValues& values) {
    for (const auto& flag : pipeline_flags) {
        if (flag.setting != "routes[].key" && flag.setting != "routes[].value") {
            add_flag(command, values, flag);
        }
    }
}

void add_config_flag(CLI::App& command, FlagValues& values) {
    add_flag(command, values, config_flag);
}

void add_kafka_flags(CLI::App& command, FlagValues& values) {
    add_flag(command, values, brokers_flag);
    add_flag(command, values, property_flag);
}

ConfigResult config_from_flags(const FlagValues& values, const ConfigChecks& checks,
                               std::vector<std::string>& warnings) {
    if (const auto file = values.find(config_flag.name()); file != values.end()) {
        auto problems = flags_beside_file(values);
        if (file->second.size() > 1) {
            problems.push_back(bad_setting("--config is given twice", "keep one of them").value());
        }
        return problems.empty() ? load_config(file->second.front(), checks)
                                : ConfigResult(tl::unexpected(std::move(problems)));
    }
    FlagTree tree(warnings);
    fill(tree, values);
    if (auto problems = tree.take_problems(); !problems.empty()) {
        return tl::unexpected(std::move(problems));
    }
    return read_config(tree.root(), checks);
}

tl::expected<KafkaConfig, std::vector<Error>> kafka_from_flags(const FlagValues& values,
                                                               const ConfigChecks& checks,
                                                               std::vector<std::string>& warnings) {
    FlagTree tree(warnings);
    fill(tree, values);
    if (auto problems = tree.take_problems(); !problems.empty()) {
        return tl::unexpected(std::move(problems));
    }
    return read_kafka_alone(tree.root(), checks);
}

std::vector<std::pair<std::string, std::string>> flag_settings() {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& flag : pipeline_flags) {
        out.emplace_back(flag.name(), flag.setting);
    }
    return out;
}

}  // namespace sluice
