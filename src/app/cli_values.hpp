// The values of flags that are no settings, and what the commands' parsers share; inside app only.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "app/cli_flags.hpp"
#include "app/config_sections.hpp"
#include "app/yaml_reader.hpp"

namespace sluice {

inline constexpr std::array<std::string_view, 2> lane_words{"postgres", "cassandra"};

// The single value of each flag that is not a setting, read as settings are.
class Flags {
public:
    Flags(const FlagValues& values, const Environment& environment)
        : values_(values), environment_(environment) {}

    template <class Read>
    auto read(std::string_view flag, Read&& read) -> decltype(read(std::declval<YamlReader&>())) {
        const auto found = values_.find(flag);
        if (found == values_.end()) {
            return std::nullopt;
        }
        const Place place{.file = "the command line", .line = 0, .column = 0};
        if (found->second.size() > 1) {
            problem(flag, "this flag is given twice", "keep one of them");
            return std::nullopt;
        }
        const YamlNode node = scalar_node(found->second.front(), place);
        YamlReader reader(node, std::string(flag), {environment_, problems_});
        return read(reader);
    }
    std::optional<std::size_t> choice(std::string_view flag, settings::Names words) {
        return read(flag, [&](YamlReader& reader) { return reader.choice(words); });
    }
    std::optional<int> integer(std::string_view flag, int min, int max) {
        return read(flag, [&](YamlReader& reader) { return reader.integer(min, max); });
    }
    std::optional<std::string> text(std::string_view flag) {
        const auto text = read(flag, [](YamlReader& reader) { return reader.text_not_empty(); });
        return text ? std::optional(text->value) : std::nullopt;
    }
    void problem(std::string_view flag, std::string detail, std::string hint) {
        problems_.add({.file = std::string(flag), .line = 0, .column = 0}, std::move(detail),
                      std::move(hint));
    }
    [[nodiscard]] bool given(std::string_view flag) const { return values_.contains(flag); }
    Problems& problems() { return problems_; }

private:
    const FlagValues& values_;
    const Environment& environment_;
    Problems problems_;
};

}  // namespace sluice
