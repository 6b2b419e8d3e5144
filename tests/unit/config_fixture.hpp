// Configurations for tests: an environment of its own, and checks of properties without librdkafka.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "app/config.hpp"

namespace sluice::test {

// Whatever holds this must never be printed.
inline const std::string canary = "canary-8b1f";

inline ConfigChecks fake_checks(std::map<std::string, std::string> variables = {}) {
    return {
        .environment = [variables](const std::string& name) -> std::optional<std::string> {
            const auto found = variables.find(name);
            return found == variables.end() ? std::nullopt : std::optional(found->second);
        },
        .refused_property = [](std::string_view name) -> std::optional<std::string> {
            return name == "group.id" ? std::optional<std::string>("pipeline names the group")
                                      : std::nullopt;
        },
        // Like librdkafka's, its text quotes the value.
        .check_property = [](const std::string& name, const std::string& value) -> Result<void> {
            if (name.starts_with("no.such") || value.starts_with("bad")) {
                return fail({.action = Action::configure,
                             .op = {},
                             .where = {},
                             .code = {},
                             .detail = "invalid value \"" + value + "\"",
                             .hint = {}});
            }
            return {};
        }};
}

// All messages, one a line; empty for a good configuration.
inline std::string messages(const ConfigResult& result) {
    std::string out;
    if (!result) {
        for (const auto& error : result.error()) {
            out.append(error.message()).push_back('\n');
        }
    }
    return out;
}

// The smallest file that is complete.
inline const std::string minimal = R"(kafka: {brokers: [k1]}
postgres: {url: postgresql://localhost/app}
routes:
  - topic: orders
)";

struct Mistake {
    std::string name;
    std::string yaml;
    std::vector<std::string> lines;  // How each message begins, in order.
};

inline void PrintTo(const Mistake& mistake, std::ostream* out) {
    *out << mistake.yaml.substr(0, 200);
}
inline std::string name_of(const testing::TestParamInfo<Mistake>& info) { return info.param.name; }

// The file "f" is refused with just these messages, and none shows the canary.
inline void expect_reported(const Mistake& mistake) {
    const auto result = parse_config(mistake.yaml, "f",
                                     fake_checks({{"NUM", "x1"}, {"SECRET", canary}}));
    ASSERT_FALSE(result) << mistake.yaml;
    const auto& errors = result.error();
    EXPECT_EQ(errors.size(), mistake.lines.size()) << messages(result);
    for (std::size_t i = 0; i < std::min(errors.size(), mistake.lines.size()); ++i) {
        const auto& line = mistake.lines[i];
        EXPECT_EQ(errors[i].message().substr(0, line.size()), line) << messages(result);
        EXPECT_EQ(errors[i].action, Action::configure);
    }
    EXPECT_EQ(messages(result).find(canary), std::string::npos) << messages(result);
}

}  // namespace sluice::test
