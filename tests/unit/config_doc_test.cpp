// Holds docs/configuration.md against the code: names of settings and flags, and its examples.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "app/cli.hpp"
#include "app/settings.hpp"
#include "config_fixture.hpp"

namespace sluice {
namespace {

using test::fake_checks;
using test::messages;

std::vector<std::string> document() {
    std::ifstream file(SLUICE_SOURCE_DIR "/docs/configuration.md");
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
    names_all(".mode", settings::modes);
    names_all(".absent", settings::absent_values);
    names_all(".unit", settings::units);
    names_all(".encoding", settings::encodings);
}

TEST(ConfigurationDocument, EveryExampleLoads) {
    std::string block;
    bool inside = false;
    int examples = 0;
    for (const auto& line : document()) {
        if (line == "```yaml") {
            inside = true;
            block.clear();
        } else if (line == "```" && inside) {
            inside = false;
            ++examples;
            const auto config = parse_config(block, "example", fake_checks());
            EXPECT_TRUE(config) << block << messages(config);
        } else if (inside) {
            block.append(line).push_back('\n');
        }
    }
    EXPECT_GE(examples, 3);
}

}  // namespace
}  // namespace sluice
