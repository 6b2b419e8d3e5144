// The flags that say what a configuration file can say; inside app only.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.hpp"

namespace CLI {
class App;
}

namespace sluice {

// What the user gave, by the flag's first name: "--topic" → {"a", "b"}.
using FlagValues = std::map<std::string, std::vector<std::string>, std::less<>>;

struct Flag {
    std::string_view names;    // "--group,--pipeline"; the first one counts.
    std::string_view setting;  // "kafka.brokers"; empty where it is none or several.
    std::string_view label;    // "HOSTS"
    std::string_view group;
    std::string_view help;
    [[nodiscard]] std::string_view name() const { return names.substr(0, names.find(',')); }
};

// Declares a flag that takes a value; the parser fills `values`, which must outlive it.
void add_flag(CLI::App& command, FlagValues& values, const Flag& flag);
// --config and all flags that stand for settings; or just --config; or the brokers and -X.
void add_pipeline_flags(CLI::App& command, FlagValues& values);
// Those of which a configuration can be proposed: all but --config and how records are read.
void add_proposal_flags(CLI::App& command, FlagValues& values);
void add_config_flag(CLI::App& command, FlagValues& values);
void add_kafka_flags(CLI::App& command, FlagValues& values);

// The configuration that --config or the flags mean; `warnings` gets what the user should know.
ConfigResult config_from_flags(const FlagValues& values, const ConfigChecks& checks,
                               std::vector<std::string>& warnings);
// What --brokers and -X mean.
tl::expected<KafkaConfig, std::vector<Error>> kafka_from_flags(const FlagValues& values,
                                                               const ConfigChecks& checks,
                                                               std::vector<std::string>& warnings);

// {"--brokers", "kafka.brokers"}, …
std::vector<std::pair<std::string, std::string>> flag_settings();

}  // namespace sluice
