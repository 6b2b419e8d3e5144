// A table's name that is made of a topic's name or of a record's field: "{topic}", "public.{1}",
// "{value.type}".
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/target.hpp"

namespace sluice {

// A topic, and what the groups of a pattern found in its name.
struct TopicMatch {
    std::string topic;
    std::vector<std::string> groups;  // The first is {1}.
};

struct TableTemplate {
    enum class Part : std::uint8_t { text, topic, group, field };
    struct Piece {
        Part part = Part::text;
        std::string text;       // Part::text.
        std::size_t group = 0;  // Part::group: from 1.
    };
    std::vector<Piece> pieces;
    std::optional<Path> field;  // Of Part::field.

    [[nodiscard]] bool has(Part part) const;
    // The greatest group that is asked for; 0 where none is.
    [[nodiscard]] std::size_t groups() const;
};

// Fails with Action::configure: a brace without its other, or something between that is none of
// {topic}, {1} to {9} and a path.
Result<TableTemplate> parse_table_template(std::string_view text);

// What is of the topic has `_` in the place of what is no letter, digit or `_`.
std::string fill_table_template(const TableTemplate& name, const TopicMatch& topic,
                                std::string_view field);

}  // namespace sluice
