// Holds docs/configuration.md against the code: names of settings and flags, defaults, bounds, and
// its examples; and loads the other files that the repository shows.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "app/cli.hpp"
#include "app/settings.hpp"
#include "base/text.hpp"
#include "config_fixture.hpp"

namespace sluice {
namespace {

using test::fake_checks;
using test::messages;

std::vector<std::string> document(const std::string& name = "docs/configuration.md") {
    std::ifstream file(SLUICE_SOURCE_DIR "/" + name);
    EXPECT_TRUE(file) << name;
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(line);
    }
    return lines;
}

std::string between_ticks(const std::string& cell) {
    const auto begin = cell.find('`');
    const auto end = cell.find('`', begin + 1);
    return begin == std::string::npos || end == std::string::npos
               ? std::string()
               : cell.substr(begin + 1, end - begin - 1);
}

std::vector<std::string> cells(const std::string& row) {
    std::vector<std::string> out;
    std::istringstream stream(row.substr(1));
    for (std::string cell; std::getline(stream, cell, '|');) {
        out.push_back(cell);
    }
    return out;
}

// The rows of all tables whose first column is headed `head`.
std::vector<std::vector<std::string>> rows(const std::string& head) {
    std::vector<std::vector<std::string>> out;
    bool inside = false;
    for (const auto& line : document()) {
        if (!line.starts_with("|")) {
            inside = false;
        } else if (line.starts_with("| " + head + " |")) {
            inside = true;
        } else if (inside && !line.starts_with("|-")) {
            out.push_back(cells(line));
        }
    }
    return out;
}

TEST(ConfigurationDocument, ListsEverySettingAndNoOther) {
    std::multiset<std::string> documented;
    for (const auto& row : rows("Setting")) {
        EXPECT_EQ(row.size(), 5U) << row[0];
        documented.insert(between_ticks(row[0]));
    }
    const auto names = settings::all();
    EXPECT_EQ(documented, std::multiset<std::string>(names.begin(), names.end()));
}

TEST(ConfigurationDocument, ListsEveryFlagAndItsSetting) {
    std::set<std::pair<std::string, std::string>> documented;
    for (const auto& row : rows("Flag")) {
        const std::string flag = between_ticks(row[0]);
        documented.emplace(flag.substr(0, flag.find(' ')), between_ticks(row[1]));
    }
    const auto flags = flag_settings();
    EXPECT_EQ(documented, decltype(documented)(flags.begin(), flags.end()));
}

TEST(ConfigurationDocument, NamesEveryWordThatIsAllowed) {
    const auto names_all = [](const std::string& setting, settings::Names words) {
        for (const auto& row : rows("Setting")) {
            if (between_ticks(row[0]).ends_with(setting)) {
                for (const auto word : words) {
                    EXPECT_NE(row[3].find("`" + std::string(word) + "`"), std::string::npos)
                        << setting << " does not name " << word;
                }
            }
        }
    };
    names_all("cassandra.consistency", settings::consistencies);
    names_all("routes[].key", settings::formats);
    names_all("routes[].value", settings::formats);
    names_all("routes[].duplicate_names", settings::duplicate_names);
    names_all(".mode", settings::modes);
    names_all(".absent", settings::absent_values);
    names_all(".evolve", settings::evolutions);
    names_all(".truncate", settings::truncates);
    names_all(".unit", settings::units);
    names_all(".encoding", settings::encodings);
}

// Each default that is a value, as against those that are described.
TEST(ConfigurationDocument, NamesTheDefaults) {
    const auto loaded = parse_config(test::minimal, "minimal", fake_checks());
    ASSERT_TRUE(loaded) << messages(loaded);
    const auto& route = loaded->routes.at(0);
    ASSERT_EQ(route.key_format, Format::string);
    ASSERT_EQ(route.value_format, Format::json);
    ASSERT_EQ(route.duplicate_names, DuplicateNames::refused);
    ASSERT_EQ(Target{}.mode, Mode::append);
    ASSERT_FALSE(Target{}.absent_is_null);
    const std::map<std::string, std::string> expected{
        {"start_timeout", std::to_string(loaded->start_timeout_ms) + " ms"},
        {"drain_timeout", std::to_string(loaded->drain_timeout_ms) + " ms"},
        {"memory", std::to_string(loaded->memory) + " bytes"},
        {"dead_letters", "stop"},
        {"kafka.start", loaded->kafka.start.spelling},
        {"postgres.pool", std::to_string(loaded->postgres->pool)},
        {"postgres.schema", loaded->postgres->schema},
        {"cassandra.consistency", CassandraConfig{}.consistency},
        {"routes[].key", "string"},
        {"routes[].value", "json"},
        {"routes[].duplicate_names", "refused"},
        {"routes[].<database>.mode", "append"},
        {"routes[].<database>.absent", "keep"},
        {"routes[].<database>.create.sample", std::to_string(CreateTable{}.sample)},
        {"routes[].<database>.evolve", "nothing"},
        {"routes[].<database>.truncate", "stop"},
        {"routes[].<database>.unavailable", std::string(debezium_unavailable)},
    };
    std::map<std::string, std::string> documented;
    for (const auto& row : rows("Setting")) {
        const std::string value = between_ticks(row[2]);
        if (row[2] == " `" + value + "` ") {
            const auto ms = parse_duration_ms(value);
            const auto bytes = parse_bytes(value);
            documented[between_ticks(row[0])] = ms      ? std::to_string(*ms) + " ms"
                                                : bytes ? std::to_string(*bytes) + " bytes"
                                                        : value;
        }
    }
    EXPECT_EQ(documented, expected);
    EXPECT_EQ(loaded->pipeline, "sluice-orders");
}

// The configuration with one setting changed.
ConfigResult with(const std::string& setting, const std::string& value) {
    static const std::map<std::string, std::string> places{
        {"pipeline", "pipeline: VALUE\n" + test::minimal},
        {"instance", "instance: VALUE\n" + test::minimal},
        {"start_timeout", "start_timeout: VALUE\n" + test::minimal},
        {"drain_timeout", "drain_timeout: VALUE\n" + test::minimal},
        {"memory", "memory: VALUE\n" + test::minimal},
        {"postgres.rows_per_s_max", "kafka: {brokers: [k]}\nroutes: [{topic: t}]\n"
                                    "postgres: {url: postgresql://h/d, rows_per_s_max: VALUE}\n"},
        {"cassandra.rows_per_s_max",
         "kafka: {brokers: [k]}\nroutes: [{topic: t}]\n"
         "cassandra: {hosts: [h], keyspace: k, rows_per_s_max: VALUE}\n"},
        {"postgres.pool", "kafka: {brokers: [k]}\nroutes: [{topic: t}]\n"
                          "postgres: {url: postgresql://h/d, pool: VALUE}\n"},
        {"postgres.schema", "kafka: {brokers: [k]}\nroutes: [{topic: t}]\n"
                            "postgres: {url: postgresql://h/d, schema: VALUE}\n"},
        {"cassandra.keyspace", "kafka: {brokers: [k]}\nroutes: [{topic: t}]\n"
                               "cassandra: {hosts: [h], keyspace: VALUE}\n"},
        {"routes[].<database>.key",
         "kafka: {brokers: [k]}\npostgres: {url: postgresql://h/d}\n"
         "routes: [{topic: t, postgres: {table: t, mode: upsert, key: [VALUE]}}]\n"},
        {"routes[].<database>.ttl", "kafka: {brokers: [k]}\ncassandra: {hosts: [h], keyspace: k}\n"
                                    "routes: [{topic: t, cassandra: {table: t, ttl: VALUE}}]\n"},
        {"routes[].<database>.create.sample",
         "kafka: {brokers: [k]}\npostgres: {url: postgresql://h/d}\n"
         "routes: [{topic: t, postgres: {table: t, create: {sample: VALUE}}}]\n"},
        {"routes[].<database>.columns",
         "kafka: {brokers: [k]}\npostgres: {url: postgresql://h/d}\n"
         "routes: [{topic: t, postgres: {table: t, columns: {VALUE}}}]\n"},
    };
    std::string yaml = places.at(setting);
    yaml.replace(yaml.find("VALUE"), 5, value);
    return parse_config(yaml, "f", fake_checks());
}

// A value of that size: bytes, names in a list, columns.
std::string sized(const std::string& setting, int size) {
    std::string value;
    for (int i = 0; i < size; ++i) {
        value += setting.ends_with(".key")       ? "c" + std::to_string(i) + ", "
                 : setting.ends_with(".columns") ? "c" + std::to_string(i) + ": value, "
                                                 : "a";
    }
    return value;
}

TEST(ConfigurationDocument, NamesTheBounds) {
    std::set<std::string> tried;
    const auto expect = [&](const std::string& setting, const std::string& value, bool good) {
        tried.insert(setting);
        const auto result = with(setting, value);
        EXPECT_EQ(result.has_value(), good) << setting << ": " << value.substr(0, 80) << "\n"
                                            << messages(result).substr(0, 300);
    };
    const std::regex range("`?([0-9]+)([a-zA-Z]*)`? to `?([0-9]+)([a-zA-Z]*)`?.*");
    const std::regex most(".*at most ([0-9]+).*");
    for (const auto& row : rows("Setting")) {
        const std::string setting = between_ticks(row[0]);
        const std::string allowed = row[3].substr(1);
        std::smatch found;
        if (std::regex_match(allowed, found, range)) {
            // Beside a bound in seconds stands one in milliseconds, beside one in MiB one in KiB.
            const auto beside = [](const std::string& unit, const std::string& number, int step) {
                if (const auto bytes = parse_bytes(number + unit)) {
                    return std::to_string((*bytes >> 10) + step) + "KiB";
                }
                const auto ms = parse_duration_ms(number + unit);
                return ms && !unit.empty() ? std::to_string(*ms + step) + "ms"
                                           : std::to_string(std::stoi(number) + step);
            };
            expect(setting, found[1].str() + found[2].str(), true);
            expect(setting, found[3].str() + found[4].str(), true);
            expect(setting, beside(found[2], found[1], -1), false);
            expect(setting, beside(found[4], found[3], 1), false);
        } else if (std::regex_match(allowed, found, most)) {
            const int bound = std::stoi(found[1]);
            expect(setting, sized(setting, bound), true);
            expect(setting, sized(setting, bound + 1), false);
        }
    }
    EXPECT_EQ(tried.size(), 14U) << "a bound is written in another way";
}

void expect_yaml_loads(const std::string& name, int examples_min) {
    std::string block;
    bool inside = false;
    int examples = 0;
    for (const auto& line : document(name)) {
        if (line == "```yaml") {
            inside = true;
            block.clear();
        } else if (line == "```" && inside) {
            inside = false;
            ++examples;
            const auto config = parse_config(block, name, fake_checks({{"PGPASSWORD", "x"}}));
            EXPECT_TRUE(config) << block << messages(config);
        } else if (inside) {
            block.append(line).push_back('\n');
        }
    }
    EXPECT_GE(examples, examples_min) << name;
}

TEST(ConfigurationDocument, EveryExampleLoads) {
    expect_yaml_loads("docs/configuration.md", 3);
    expect_yaml_loads("README.md", 1);
    const auto quickstart = load_config(SLUICE_SOURCE_DIR "/examples/earthquakes/sluice.yaml",
                                        fake_checks());
    EXPECT_TRUE(quickstart) << messages(quickstart);
}

}  // namespace
}  // namespace sluice
