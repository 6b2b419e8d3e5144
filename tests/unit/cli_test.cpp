// The command line: what becomes of it, and what is said about mistakes.
#include "app/cli.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "config_fixture.hpp"
#include "temporary_folder.hpp"

namespace sluice {
namespace {

using test::canary;
using test::fake_checks;
using test::messages;
using test::minimal;

using Arguments = std::vector<std::string>;

CommandLine parse(const Arguments& arguments, std::map<std::string, std::string> variables = {}) {
    return parse_command_line(arguments, "sluice 1.2.3", fake_checks(std::move(variables)));
}

CliExit exit_of(const Arguments& arguments) {
    auto line = parse(arguments);
    const auto* exit = std::get_if<CliExit>(&line.action);
    EXPECT_NE(exit, nullptr) << "the arguments were taken";
    return exit != nullptr ? *exit : CliExit{-1, ""};
}

template <class Options>
Options options_of(const CommandLine& line) {
    const auto* exit = std::get_if<CliExit>(&line.action);
    EXPECT_EQ(exit, nullptr) << (exit != nullptr ? exit->text : "");
    const auto* options = std::get_if<Options>(&line.action);
    EXPECT_NE(options, nullptr);
    return options != nullptr ? *options : Options{};
}

Arguments run_with(const Arguments& more) {
    Arguments arguments{"run", "--brokers", "k1", "--topic", "t", "--postgres", "postgresql://h/d"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

class TempFile {
public:
    TempFile(const std::string& name, const std::string& content) : path_(folder_.path() / name) {
        std::ofstream(path_) << content;
    }
    [[nodiscard]] std::string path() const { return path_; }

private:
    TemporaryFolder folder_;
    std::filesystem::path path_;
};

TEST(Cli, HelpAndVersion) {
    EXPECT_EQ(exit_of({"--version"}).code, 0);
    EXPECT_EQ(exit_of({"--version"}).text, "sluice 1.2.3\n");
    for (const Arguments& arguments : {Arguments{"--help"},
                                       {"run", "--help"},
                                       {"check", "-h"},
                                       {"produce", "--help"},
                                       {"reset", "--help"}}) {
        const auto help = exit_of(arguments);
        EXPECT_EQ(help.code, 0);
        EXPECT_TRUE(has(help.text, "Usage: sluice"));
        EXPECT_TRUE(has(help.text, "Examples:\n  sluice ")) << help.text;
        EXPECT_FALSE(has(help.text, "\n\n\n"));
    }
    const auto none = exit_of({});
    EXPECT_EQ(none.code, 2);
    EXPECT_TRUE(has(none.text, "Usage: sluice"));
}

TEST(Cli, HelpNamesEveryFlagThatIsASetting) {
    const auto help = exit_of({"run", "--help"}).text;
    for (const auto& [flag, setting] : flag_settings()) {
        EXPECT_TRUE(has(help, "  " + flag)) << flag;
    }
}

TEST(Cli, RunFromFlags) {
    const auto line = parse({"run",
                             "--brokers",
                             "k1,k2:1",
                             "--topic",
                             "a,b",
                             "--topic",
                             "c",
                             "--group",
                             "g",
                             "--instance",
                             "i1",
                             "--postgres",
                             "jdbc:postgresql://h/d?ssl=true",
                             "--postgres-user",
                             "pu",
                             "--pool",
                             "3",
                             "--cassandra",
                             "cu@c1,c2:1/ks",
                             "--local-dc",
                             "dc1",
                             "--start",
                             "latest",
                             "--key",
                             "json",
                             "--value",
                             "string",
                             "-X",
                             "a=b=c",
                             "-X",
                             "d=",
                             "--start-timeout",
                             "5s",
                             "--drain-timeout",
                             "1500ms",
                             "--memory",
                             "1GiB",
                             "--http",
                             "localhost",
                             "--until-end",
                             "--strict",
                             "--log-level",
                             "debug",
                             "--log-format",
                             "json"},
                            {{"CASSANDRA_PASSWORD", canary}, {"PGPASSWORD", canary}});
    EXPECT_EQ(line.log_level, "debug");
    EXPECT_EQ(line.log_format, LogFormat::json);
    EXPECT_TRUE(line.warnings.empty());
    const auto run = options_of<RunOptions>(line);
    EXPECT_TRUE(run.until_end);
    EXPECT_TRUE(run.strict);
    EXPECT_FALSE(run.print_config);
    EXPECT_EQ(print_config(run.config), R"(pipeline: g
instance: i1
kafka:
  brokers: [k1:9092, k2:1]
  start: latest
  properties:
    a: "b=c"
    d: ""
postgres:
  url: "postgresql://h/d?sslmode=verify-full"
  user: pu
  password: "${PGPASSWORD}"
  pool: 3
cassandra:
  hosts: [c1:9042, c2:1]
  local_dc: dc1
  keyspace: ks
  consistency: local_quorum
  username: cu
  password: "${CASSANDRA_PASSWORD}"
routes:
  - topics: [a, b, c]
    key: json
    value: string
    postgres: true
    cassandra: true
http:
  listen: 127.0.0.1:9464
start_timeout: 5s
drain_timeout: 1500ms
memory: 1024MiB
)");
}

TEST(Cli, WhatTheFlagsSayTheFileCanSay) {
    const std::map<std::string, std::string> env{{"PGPASSWORD", "x"}, {"CASSANDRA_PASSWORD", "y"}};
    for (const Arguments& more : {Arguments{},
                                  {"--pool", "64"},
                                  {"--cassandra", "u@c/k"},
                                  {"--pipeline", "p"},
                                  {"--start", "2026-01-31T08:00:00Z"},
                                  {"--value", "bytes"},
                                  {"--topic", "b,c"},
                                  {"-X", "sasl.password=${PGPASSWORD}"},
                                  {"-X", "x=$${y}: \"z\""},
                                  {"--http", "0.0.0.0:1"},
                                  {"--http", "[::1]"},
                                  {"--start-timeout", "90s"}}) {
        const auto config = options_of<RunOptions>(parse(run_with(more), env)).config;
        const std::string printed = print_config(config);
        const auto again = parse_config(printed, "printed", fake_checks(env));
        ASSERT_TRUE(again) << printed << messages(again);
        EXPECT_EQ(print_config(*again), printed);
        EXPECT_EQ(again->kafka.properties, config.kafka.properties);
    }
}

TEST(Cli, RunFromFileTakesOnlyWhatNoFileSays) {
    const TempFile file("cli.yaml", minimal);
    const auto run = options_of<RunOptions>(
        parse({"run", "-c", file.path(), "--until-end", "--strict", "--print-config"}));
    EXPECT_EQ(run.config.pipeline, "sluice-orders");
    EXPECT_EQ(run.config.postgres->place.to_string(), file.path() + ":2:11");
    EXPECT_TRUE(run.until_end && run.strict && run.print_config);
    EXPECT_FALSE(options_of<CheckOptions>(parse({"check", "--config", file.path()})).sample);
    EXPECT_EQ(options_of<CheckOptions>(parse({"check", "-c", file.path(), "--sample", "9"})).sample,
              9);

    for (const auto& [flag, setting] : flag_settings()) {
        const auto exit = exit_of({"run", "-c", file.path(), flag, "x"});
        EXPECT_EQ(exit.code, 2);
        EXPECT_EQ(exit.text, flag + ": this flag can't stand beside --config; say '" + setting +
                                 "' in the file\n");
    }
    const auto missing = exit_of({"run", "-c", "/no/such/file"});
    EXPECT_EQ(missing.code, 2);
    EXPECT_TRUE(has(missing.text, "/no/such/file: the configuration file can't be read"));
}

TEST(Cli, FileErrorsKeepTheirPlaces) {
    const TempFile file("cli-bad.yaml", minimal + "pol: 1\nstart_timeout: 1\n");
    const auto exit = exit_of({"check", "-c", file.path()});
    EXPECT_EQ(exit.code, 2);
    EXPECT_TRUE(has(exit.text, file.path() + ":5:1: unknown setting 'pol'"));
    EXPECT_TRUE(has(exit.text, file.path() + ":6:16: 'start_timeout' is '1'"));
}

TEST(Cli, VisiblePasswordsWarnAndAreNotPrinted) {
    for (const Arguments& more : {Arguments{"--postgres-password", canary},
                                  {"--cassandra", "u:" + canary + "@c/k"},
                                  {"--cassandra", "u@c/k", "--cassandra-password", canary},
                                  {"-X", "sasl.password=" + canary},
                                  {"-X", "ssl.key.pem=" + canary}}) {
        const auto line = parse(run_with(more));
        ASSERT_EQ(line.warnings.size(), 1U) << more[1];
        EXPECT_TRUE(has(line.warnings[0], "visible to every user"));
        EXPECT_FALSE(has(line.warnings[0], canary));
        EXPECT_FALSE(has(print_config(options_of<RunOptions>(line).config), canary));
    }
    const auto url = parse({"run", "--brokers", "k", "--topic", "t", "--postgres",
                            "postgresql://u:" + canary + "@h/d"});
    EXPECT_EQ(url.warnings.size(), 1U);
    const auto config = options_of<RunOptions>(url).config;
    EXPECT_EQ(config.postgres->password->secret.reveal(), canary);
    EXPECT_FALSE(has(print_config(config), canary));
}

TEST(Cli, PasswordsFromFilesAndReferencesDoNotWarn) {
    const TempFile file("cli-password", "s${3}cret\n");
    const auto line = parse(run_with({"--postgres-password-file", file.path(), "--cassandra",
                                      "u:${CP}@c/k", "-X", "sasl.password=${KP}"}),
                            {{"CP", "two"}, {"KP", "three"}});
    EXPECT_TRUE(line.warnings.empty());
    const auto config = options_of<RunOptions>(line).config;
    EXPECT_EQ(config.postgres->password->secret.reveal(), "s${3}cret");
    EXPECT_EQ(config.cassandra->password->secret.reveal(), "two");
    EXPECT_EQ(config.kafka.properties[0].second, "three");
    EXPECT_TRUE(has(print_config(config), "password: \"${file:" + file.path() + "}\""));
}

TEST(Cli, PasswordFlagIsTakenLiterally) {
    const auto line = parse(run_with({"--postgres-password", "a${B}"}));
    EXPECT_EQ(options_of<RunOptions>(line).config.postgres->password->secret.reveal(), "a${B}");
}

struct Mistake {
    Arguments arguments;
    std::string text;  // How the message begins.
};

TEST(Cli, MistakesSayWhatToDo) {
    const std::vector<Mistake> mistakes{
        {{"rnu"},
         "'rnu' is no command; allowed: run, check, init, produce, reset, dlq; did you mean "
         "'run'?"},
        {{"run", "--brokrs=k"}, "unknown flag '--brokrs'; did you mean '--brokers'?\n`sluice run"},
        {{"run", "--verbose"}, "unknown flag '--verbose'\n`sluice run --help` lists"},
        {{"run", "--topic"}, "--topic: 1 required NAME[,NAME] missing\n"},
        {{"run"},
         "the command line: 'kafka.brokers' is missing; give --brokers localhost:9092\n"
         "the command line: no database is configured; give --postgres URL, --cassandra "
         "HOST/KEYSPACE, or both\n"
         "the command line: 'routes' is missing; give --topic orders\n"},
        {run_with({"--pool", "65"}),
         "--pool: 'postgres.pool' is '65', out of range; allowed: a whole number from 1 to 64\n"},
        {run_with({"--pool", "1", "--pool", "2"}),
         "--pool: 'postgres.pool' is said twice, first at --pool; keep one of them\n"},
        {run_with({"--value", "jsn"}), "--value: 'routes[0].value' is 'jsn'; allowed: json, "
                                       "string, bytes, connect_json; did you mean 'json'?"},
        {run_with({"--topic", "a b"}), "--topic: 'routes[0].topics' is 'a b'; a topic's name may"},
        {run_with({"-X", "group.id=x"}),
         "-X: 'kafka.properties.group.id' can't be set: pipeline names the group\n"},
        {run_with({"-X", "novalue"}), "-X: this is not NAME=VALUE; for example -X security"},
        {run_with({"--cassandra", "c1"}), "--cassandra: the keyspace is missing; write host[:po"},
        {run_with({"--cassandra", "u@c1/k"}),
         "--cassandra: 'cassandra.username' without a password; set the environment variable"},
        {run_with({"--local-dc", "dc1"}),
         "the command line: 'cassandra.hosts' is missing; give --cassandra localhost:9042/app\n"},
        {run_with({"--postgres-password-file", "/no/such"}),
         "--postgres-password-file: 'postgres.password': the file of ${file:/no/such} can't be"},
        {run_with({"--log-level", "loud"}),
         "the command line: '--log-level' is 'loud'; allowed: debug, info, warn, error"},
        {{"reset", "--brokers", "k", "--topic", "t", "--postgres", "postgresql://h/d"},
         "sluice reset: --lane is missing; give --lane postgres or --lane cassandra\n"},
        {{"reset", "--brokers", "k", "--topic", "t", "--postgres", "postgresql://h/d", "--lane",
          "cassandra"},
         "--lane: 'cassandra' is not configured; name the other one\n"},
        {{"produce"},
         "sluice produce: --topic is missing; give --topic NAME\n"
         "the command line: 'kafka.brokers' is missing; give --brokers localhost:9092\n"},
        {{"produce", "--brokers", "k", "--topic", "t", "--rate", "0", "--partitions", "x"},
         "the command line: '--partitions' is 'x', not a whole number; allowed: a whole number "
         "from 1 to 10000, in decimal digits without leading zeros\n"
         "the command line: '--rate' is '0', out of range"},
        {{"produce", "--brokers", "k", "--topic", "t", "--key", "id", "--value", "string"},
         "--key: a key comes from a line's JSON, and --value says string"},
        {{"produce", "--brokers", "k", "--topic", "t", "--key", "a..b"}, "--key: `value.a..b`"},
    };
    for (const auto& [arguments, text] : mistakes) {
        const auto exit = exit_of(arguments);
        EXPECT_EQ(exit.code, 2);
        EXPECT_EQ(exit.text.substr(0, text.size()), text);
        EXPECT_TRUE(exit.text.ends_with('\n'));
    }
}

TEST(Cli, NoMistakeQuotesAPassword) {
    for (const Arguments& arguments :
         {Arguments{"run", "--postgres-pasword", canary},
          {"run", "--postgres-pasword=" + canary},
          {"run", canary},
          run_with({"--postgres-password", canary, "--pool", "0"}),
          run_with({"--cassandra", "u:" + canary + "@c"}),
          run_with({"--cassandra", "u:" + canary + "@c:x/k"}),
          run_with({"-X", "sasl.password=bad-" + canary}),
          run_with({"-X", canary}),
          {"run", "--brokers", "k", "--topic", "t", "--postgres", "pg://u:" + canary + "@h"}}) {
        const auto line = parse(arguments);
        const auto* exit = std::get_if<CliExit>(&line.action);
        ASSERT_NE(exit, nullptr);
        EXPECT_EQ(exit->code, 2);
        EXPECT_FALSE(has(exit->text, canary)) << exit->text;
    }
}

TEST(Cli, Reset) {
    const auto reset = options_of<ResetOptions>(
        parse({"reset", "--brokers", "k", "--topic", "t", "--postgres", "postgresql://h/d",
               "--lane", "postgres", "--yes"}));
    EXPECT_EQ(reset.lane, "postgres");
    EXPECT_TRUE(reset.yes);
    EXPECT_EQ(reset.config.pipeline, "sluice-t");
}

TEST(Cli, Produce) {
    const auto plain = options_of<ProduceOptions>(
        parse({"produce", "--brokers", "k", "--topic", "t", "--file", "-"}));
    EXPECT_EQ(plain.kafka.brokers, std::vector<std::string>{"k:9092"});
    EXPECT_FALSE(plain.file);
    EXPECT_FALSE(plain.json);
    EXPECT_FALSE(plain.key);
    EXPECT_EQ(plain.partitions, 4);
    EXPECT_FALSE(plain.rate);

    const auto full = options_of<ProduceOptions>(
        parse({"produce", "--brokers", "k", "--topic", "t", "--file", "f.ndjson", "--key",
               "properties.code", "--partitions", "8", "--rate", "500", "-X", "a=b"}));
    EXPECT_EQ(full.file, "f.ndjson");
    EXPECT_TRUE(full.json);
    EXPECT_EQ(full.key->source, Source::value);
    EXPECT_EQ(full.key->spelling, "value.properties.code");
    EXPECT_EQ(full.partitions, 8);
    EXPECT_EQ(full.rate, 500);
    EXPECT_EQ(full.kafka.properties.size(), 1U);
    const auto spelled = [](const std::string& key) {
        return options_of<ProduceOptions>(
                   parse({"produce", "--brokers", "k", "--topic", "t", "--key", key}))
            .key->spelling;
    };
    EXPECT_EQ(spelled("value.id"), "value.id");
    EXPECT_EQ(spelled("key"), "value.key");
    EXPECT_EQ(spelled("[0].id"), "value[0].id");
}

}  // namespace
}  // namespace sluice
