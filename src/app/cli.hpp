// The command line: arguments to plain options. Reads the configuration file (and the files it
// refers to), and does nothing else; main acts on the result.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "app/config.hpp"
#include "base/log.hpp"
#include "model/ids.hpp"

namespace sluice {

struct RunOptions {
    Config config;
    bool until_end = false;     // Stop at the end that each partition has at the start.
    bool strict = false;        // Any fault at start is fatal.
    bool print_config = false;  // Print the configuration and do nothing.
};

struct CheckOptions {
    Config config;
    std::optional<int> sample;  // Records of each topic that are tried; nothing: none.
};

struct InitOptions {
    Config config;              // The servers, and the topics as the only route.
    std::size_t sample = 1000;  // Records of each topic that are looked at.
};

struct ResetOptions {
    Config config;
    std::string lane;  // "postgres" or "cassandra"; one that `config` has.
    bool yes = false;  // Don't ask.
};

enum class DlqCommand : std::uint8_t { list, show, replay, skip };

struct DlqOptions {
    Config config;
    DlqCommand command = DlqCommand::list;
    std::string lane;   // One that `config` has; empty: each of them.
    std::string topic;  // list; empty: all.
    std::size_t limit = 100;
    // show, skip, and replay of a single one.
    std::optional<std::pair<TopicPartition, Offset>> record;
    bool json = false;
    bool raw = false;
    bool yes = false;
};

struct ProduceOptions {
    KafkaConfig kafka;  // Brokers and properties only.
    std::string topic;
    std::optional<std::string> file;  // Nothing: stdin.
    bool json = false;                // Each line must be JSON.
    std::optional<Path> key;          // Into the line's JSON; nothing: no key.
    int partitions = 4;               // Of a topic that is created.
    std::optional<int> rate;          // Events a second; nothing: as fast as it goes.
};

// Nothing to do but to print and exit: to stdout where code is 0, else to stderr.
struct CliExit {
    int code = 2;
    std::string text;  // Ends with a newline.
};

struct CommandLine {
    std::string log_level = "info";
    LogFormat log_format = LogFormat::text;
    // For the log, once it is there: a password that others can see.
    std::vector<std::string> warnings;
    std::variant<CliExit, RunOptions, CheckOptions, InitOptions, ResetOptions, ProduceOptions,
                 DlqOptions>
        action;
};

// `arguments` without the program's name. `version` is what --version prints.
CommandLine parse_command_line(std::span<const std::string> arguments, std::string_view version,
                               const ConfigChecks& checks);

// "orders/3@120", or "orders[3]@120" as the log has it; nothing where it is neither.
std::optional<std::pair<TopicPartition, Offset>> parse_record_place(std::string_view text);

// Every flag that says what a file can say, and the setting: {"--brokers", "kafka.brokers"}.
std::vector<std::pair<std::string, std::string>> flag_settings();

}  // namespace sluice
