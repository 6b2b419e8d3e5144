#include "app/cli.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "app/cli_dlq.hpp"
#include "app/cli_flags.hpp"
#include "app/cli_values.hpp"
#include "base/text.hpp"
#include "map/path.hpp"

namespace sluice {
namespace {

constexpr int exit_usage = 2;
constexpr int partitions_max = 10'000;
constexpr int sample_max = 1'000'000;
constexpr int rate_max = 100'000'000;
constexpr std::array<std::string_view, 4> log_levels{"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 2> log_formats{"text", "json"};
constexpr std::array<std::string_view, 2> line_formats{"json", "string"};

constexpr const char* main_footer = R"(Examples:
  sluice run --brokers localhost:9092 --topic events \
             --postgres postgresql://localhost/app --cassandra localhost:9042/app
  sluice init --brokers localhost:9092 --topic events --postgres postgresql://localhost/app
  sluice check -c sluice.yaml --sample 1000
  sluice produce --topic events --brokers localhost:9092 --file events.ndjson
  sluice dlq list -c sluice.yaml
`sluice COMMAND --help` says more. Exit codes: 0 done, 1 failed on the way, 2 bad usage or
configuration, 3 a server can't be reached or a table is missing.)";

constexpr const char* flag_footer = R"(
Passwords come from PGPASSWORD, CASSANDRA_PASSWORD or a file. As in a file, ${VAR} and
${file:/path} in a flag's value are replaced (quote them from the shell).
Everywhere: --log-level debug|info|warn|error, --log-format text|json.)";

constexpr const char* run_footer = R"(Examples:
  sluice run --brokers localhost:9092 --topic orders --postgres postgresql://localhost/shop
  sluice run --brokers k1,k2 --topic orders,returns --cassandra c1,c2/shop --local-dc dc1
  sluice run -c sluice.yaml --until-end
  sluice run --brokers k1 --topic orders --cassandra c1/shop --print-config > sluice.yaml)";

constexpr const char* check_footer = R"(Examples:
  sluice check -c sluice.yaml
  sluice check --brokers localhost:9092 --topic orders --postgres postgresql://localhost/shop)";

constexpr const char* init_footer = R"(Examples:
  sluice init --brokers localhost:9092 --topic orders \
              --postgres postgresql://localhost/shop > sluice.yaml
  sluice init --brokers k1 --topic orders,returns --cassandra c1/shop --sample 10000)";

constexpr const char* reset_footer = R"(Examples:
  sluice reset -c sluice.yaml --lane postgres
  sluice reset --lane cassandra --yes --brokers k1 --topic orders --cassandra c1/shop)";

constexpr const char* produce_footer = R"(Examples:
  sluice produce --brokers localhost:9092 --topic orders --file orders.ndjson --key id
  journalctl -f -o json | sluice produce --brokers k1 --topic logs --key _HOSTNAME
  seq 1000 | sluice produce --brokers k1 --topic numbers --rate 100
Everywhere: --log-level debug|info|warn|error, --log-format text|json.)";

std::string with_flag_footer(const char* examples) { return std::string(examples) + flag_footer; }

CliExit usage(std::string text) { return {exit_usage, std::move(text)}; }

CliExit report(const std::vector<Error>& problems) {
    std::string text;
    for (const auto& problem : problems) {
        text.append(problem.message()).push_back('\n');
    }
    return usage(std::move(text));
}

// Everything that CLI11 needs to point at while it parses.
struct Parser {
    FlagValues values;
    bool until_end = false;
    bool strict = false;
    bool print_config = false;
    bool yes = false;
    DlqFlags dlq;
    CLI::App app{"Streams Kafka topics into PostgreSQL and Cassandra.", "sluice"};
    CLI::App* run = nullptr;
    CLI::App* check = nullptr;
    CLI::App* init = nullptr;
    CLI::App* produce = nullptr;
    CLI::App* reset = nullptr;

    explicit Parser(std::string_view version) {
        app.set_help_flag("-h,--help", "print this and exit");
        app.set_version_flag("--version", std::string(version), "print the versions and exit");
        app.get_formatter()->column_width(37);
        app.get_formatter()->label("OPTIONS", "FLAGS");
        app.get_formatter()->label("SUBCOMMAND", "COMMAND");
        app.fallthrough();
        app.require_subcommand(0, 1);
        app.footer(main_footer);
        add_flag(
            app, values,
            {"--log-level", "", "LEVEL", "Options", "debug, info, warn or error (default: info)"});
        add_flag(app, values,
                 {"--log-format", "", "FORMAT", "Options", "text or json (default: text)"});
        add_run();
        add_check();
        add_init();
        add_produce();
        add_reset();
        dlq.add(app, values, flag_footer);
    }

    void add_run() {
        run = app.add_subcommand("run", "Stream topics into the databases until stopped")
                  ->group("Commands");
        run->footer(with_flag_footer(run_footer));
        run->add_flag("--until-end", until_end, "stop at the end that each partition has now")
            ->group("Running");
        run->add_flag("--strict", strict, "exit if either database can't be used at start")
            ->group("Running");
        run->add_flag("--print-config", print_config, "print the configuration as a file, and exit")
            ->group("Running");
        add_pipeline_flags(*run, values);
    }
    void add_check() {
        check = app.add_subcommand("check",
                                   "Find every problem of configuration and tables; writes nothing")
                    ->group("Commands");
        check->footer(with_flag_footer(check_footer));
        add_flag(*check, values,
                 {"--sample", "", "N", "Checking",
                  "also tell what would become of about N records of each topic"});
        add_pipeline_flags(*check, values);
    }
    void add_init() {
        init = app.add_subcommand("init", "Propose a configuration from what a topic holds")
                   ->group("Commands");
        init->footer(with_flag_footer(init_footer));
        add_flag(*init, values,
                 {"--sample", "", "N", "Proposing",
                  "look at about N records of each topic (default: 1000)"});
        add_proposal_flags(*init, values);
    }
    void add_produce() {
        produce = app.add_subcommand("produce", "Send lines of a file or of stdin to a topic")
                      ->group("Commands");
        produce->footer(produce_footer);
        add_kafka_flags(*produce, values);
        add_flag(*produce, values,
                 {"--topic", "", "NAME", "Kafka", "the topic; created if missing"});
        add_flag(*produce, values,
                 {"--partitions", "", "N", "Kafka",
                  "partitions of a topic that is created (default: 4)"});
        add_flag(*produce, values,
                 {"--file", "", "FILE", "Events", "one event a line (default: stdin, or -)"});
        add_flag(
            *produce, values,
            {"--value", "", "FORMAT", "Events", "json: each line is checked; string: any line"});
        add_flag(*produce, values,
                 {"--key", "", "PATH", "Events",
                  "take the key from the line's JSON: id, properties.code"});
        add_flag(*produce, values,
                 {"--rate", "", "N", "Events", "events a second (default: as fast as it goes)"});
    }
    void add_reset() {
        reset = app.add_subcommand("reset", "Forget how far a lane has come")->group("Commands");
        reset->footer(with_flag_footer(reset_footer));
        add_flag(*reset, values, {"--lane", "", "LANE", "Resetting", "postgres or cassandra"});
        reset->add_flag("--yes", yes, "don't ask")->group("Resetting");
        add_pipeline_flags(*reset, values);
    }
    [[nodiscard]] CLI::App& chosen() {
        CLI::App* found = &app;
        while (!found->get_subcommands().empty()) {
            found = found->get_subcommands().front();
        }
        return *found;
    }
};

// Of the chosen command, or of the program. CLI11 leaves two empty lines between groups.
std::string help_text(const Parser& parser) {
    std::string text = parser.app.help();
    for (auto at = text.find("\n\n\n"); at != std::string::npos; at = text.find("\n\n\n", at)) {
        text.erase(at, 1);
    }
    return text;
}

std::string help_hint(CLI::App& command, const CLI::App& app) {
    std::string name = command.get_name();
    for (const CLI::App* above = &command; above != &app; above = above->get_parent()) {
        name.insert(0, above->get_parent()->get_name() + " ");
    }
    return "`" + name + " --help` lists what there is\n";
}

std::vector<std::string> known_flags(CLI::App& command) {
    std::vector<std::string> names;
    for (const auto* option : command.get_options()) {
        for (const auto& name : option->get_lnames()) {
            names.push_back("--" + name);
        }
    }
    return names;
}

std::vector<std::string> commands_of(CLI::App& command) {
    std::vector<std::string> names;
    for (const auto* each : command.get_subcommands([](const CLI::App*) { return true; })) {
        names.push_back(each->get_name());
    }
    return names;
}

// Built from the arguments and not from CLI11's text, which would quote a misplaced password.
CliExit unknown_arguments(Parser& parser, std::span<const std::string> arguments) {
    CLI::App& command = parser.chosen();
    auto names = known_flags(command);
    if (&command != &parser.app) {
        std::ranges::move(known_flags(parser.app), std::back_inserter(names));
    }
    const std::vector<std::string_view> candidates(names.begin(), names.end());
    for (const auto& argument : arguments) {
        const std::string flag = argument.substr(0, argument.find('='));
        if (!flag.starts_with("--") || flag == "--" ||
            std::ranges::find(names, flag) != names.end()) {
            continue;
        }
        const auto near = nearest(flag, candidates);
        return usage("unknown flag '" + printable(flag) + "'" +
                     (near ? "; did you mean '" + std::string(*near) + "'?" : "") + "\n" +
                     help_hint(command, parser.app));
    }
    const std::size_t at = &command == &parser.app ? 0 : 1;
    if (const auto commands = commands_of(command); !commands.empty() && at < arguments.size()) {
        const std::vector<std::string_view> allowed(commands.begin(), commands.end());
        return usage("'" + printable(arguments[at]) + "' is no command; " +
                     allowed_names(arguments[at], allowed) + "\n");
    }
    return usage("an argument that belongs to no flag (not shown: it may be a secret)\n" +
                 help_hint(command, parser.app));
}

// Nothing where the arguments could be parsed.
std::optional<CliExit> parse(Parser& parser, std::span<const std::string> arguments) {
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        parser.app.parse(std::move(reversed));
    } catch (const CLI::CallForHelp&) {
        return CliExit{0, help_text(parser)};
    } catch (const CLI::CallForVersion& version) {
        return CliExit{0, std::string(version.what()) + "\n"};
    } catch (const CLI::ExtrasError&) {
        return unknown_arguments(parser, arguments);
    } catch (const CLI::ArgumentMismatch& problem) {
        return usage(std::string(problem.what()) + "\n" + help_hint(parser.chosen(), parser.app));
    } catch (const CLI::Error&) {
        return usage("the arguments can't be read\n" + help_hint(parser.chosen(), parser.app));
    }
    if (!commands_of(parser.chosen()).empty()) {
        return usage(help_text(parser));  // A command is missing.
    }
    return std::nullopt;
}

// "id" is "value.id": a line of input has a value only.
std::optional<Path> read_key_path(Flags& flags) {
    const auto text = flags.text("--key");
    if (!text) {
        return std::nullopt;
    }
    const bool whole = *text == "value" || text->starts_with("value.") ||
                       text->starts_with("value[");
    auto path = parse_path(whole ? *text : (text->starts_with('[') ? "value" : "value.") + *text);
    if (!path) {
        Error error = std::move(path).error();
        error.op.clear();
        error.code.clear();
        flags.problems().add({.file = "--key", .line = 0, .column = 0}, std::move(error));
        return std::nullopt;
    }
    return *std::move(path);
}

std::variant<CliExit, ProduceOptions> produce_options(Parser& parser, Flags& flags,
                                                      const ConfigChecks& checks,
                                                      CommandLine& out) {
    ProduceOptions options;
    if (const auto topic = flags.text("--topic")) {
        options.topic = *topic;
        if (const auto wrong = refused_name(*topic, topic_bytes_max)) {
            flags.problem("--topic", "'" + *topic + "' is no topic's name: it " + *wrong,
                          "give another name");
        }
    } else if (!parser.values.contains("--topic")) {
        flags.problem("sluice produce", "--topic is missing", "give --topic NAME");
    }
    options.file = flags.text("--file");
    if (options.file == "-") {
        options.file.reset();
    }
    options.partitions = flags.integer("--partitions", 1, partitions_max).value_or(4);
    options.rate = flags.integer("--rate", 1, rate_max);
    options.key = read_key_path(flags);
    const auto format = flags.choice("--value", line_formats);
    options.json = format ? *format == 0 : options.key.has_value();
    if (options.key && !options.json) {
        flags.problem("--key", "a key comes from a line's JSON, and --value says string",
                      "remove one of the two");
    }
    auto problems = flags.problems().take();
    auto kafka = kafka_from_flags(parser.values, checks, out.warnings);
    if (kafka) {
        options.kafka = *std::move(kafka);
    } else {
        std::ranges::move(kafka.error(), std::back_inserter(problems));
    }
    return problems.empty() ? std::variant<CliExit, ProduceOptions>(std::move(options))
                            : report(problems);
}

std::string read_lane(Parser& parser, Flags& flags) {
    if (const auto index = flags.choice("--lane", lane_words)) {
        return std::string(lane_words[*index]);
    }
    if (!parser.values.contains("--lane")) {
        flags.problem("sluice reset", "--lane is missing",
                      "give --lane postgres or --lane cassandra");
    }
    return {};
}

void act(Parser& parser, Flags& flags, const ConfigChecks& checks, CommandLine& out) {
    if (parser.produce->parsed()) {
        std::visit([&](auto&& result) { out.action = std::forward<decltype(result)>(result); },
                   produce_options(parser, flags, checks, out));
        return;
    }
    const std::string lane = parser.reset->parsed() ? read_lane(parser, flags)
                             : parser.dlq.parsed()  ? parser.dlq.read(flags)
                                                    : "";
    const auto sample = flags.integer("--sample", 1, sample_max);
    const bool lacks_file = parser.dlq.needs_file() && !parser.values.contains("-c");
    auto config = lacks_file ? ConfigResult(tl::unexpected(std::vector<Error>{}))
                             : config_from_flags(parser.values, checks, out.warnings);
    if (config && ((lane == "postgres" && !config->postgres) ||
                   (lane == "cassandra" && !config->cassandra))) {
        flags.problem("--lane", "'" + lane + "' is not configured", "name the other one");
    }
    auto problems = flags.problems().take();
    if (!config) {
        std::ranges::move(config.error(), std::back_inserter(problems));
    }
    if (!problems.empty()) {
        out.action = report(problems);
        if (!parser.values.contains("-c")) {
            std::get<CliExit>(out.action).text += help_hint(parser.chosen(), parser.app);
        }
    } else if (parser.run->parsed()) {
        out.action = RunOptions{*std::move(config), parser.until_end, parser.strict,
                                parser.print_config};
    } else if (parser.check->parsed()) {
        out.action = CheckOptions{*std::move(config), sample};
    } else if (parser.init->parsed()) {
        out.action = InitOptions{*std::move(config),
                                 static_cast<std::size_t>(sample.value_or(1000))};
    } else if (parser.dlq.parsed()) {
        parser.dlq.options.config = *std::move(config);
        out.action = std::move(parser.dlq.options);
    } else {
        out.action = ResetOptions{*std::move(config), lane, parser.yes};
    }
}

}  // namespace

CommandLine parse_command_line(std::span<const std::string> arguments, std::string_view version,
                               const ConfigChecks& checks) {
    CommandLine out;
    Parser parser(version);
    if (auto exit = parse(parser, arguments)) {
        out.action = *std::move(exit);
        return out;
    }
    Flags flags(parser.values, checks.environment);
    if (const auto level = flags.choice("--log-level", log_levels)) {
        out.log_level = log_levels[*level];
    }
    if (flags.choice("--log-format", log_formats) == 1U) {
        out.log_format = LogFormat::json;
    }
    act(parser, flags, checks, out);
    return out;
}

}  // namespace sluice
