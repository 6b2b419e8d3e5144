#include "app/table_template.hpp"

#include <algorithm>

#include "app/settings.hpp"
#include "base/text.hpp"
#include "map/path.hpp"

namespace sluice {
namespace {

constexpr std::string_view what_may_stand =
    "between braces stands topic, a group of topic_pattern such as 1, or a path such as value.type";

Result<TableTemplate::Piece> parse_placeholder(std::string_view text, TableTemplate& name) {
    using Piece = TableTemplate::Piece;
    if (text == "topic") {
        return Piece{.part = TableTemplate::Part::topic, .text = {}};
    }
    if (text.size() == 1 && text.front() >= '1' && text.front() <= '9') {
        return Piece{.part = TableTemplate::Part::group,
                     .text = {},
                     .group = static_cast<std::size_t>(text.front() - '0')};
    }
    auto path = parse_path(text);
    if (!path) {
        return bad_setting("'{" + printable(text) + "}' says nothing", std::string(what_may_stand));
    }
    if (name.field) {
        return bad_setting("a table's name has two fields, " + name.field->spelling + " and " +
                               path->spelling,
                           "keep one of them");
    }
    name.field = *std::move(path);
    return Piece{.part = TableTemplate::Part::field, .text = {}};
}

std::string of_topic(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9');
        c = kept ? c : '_';
    }
    return out;
}

}  // namespace

bool TableTemplate::has(Part part) const {
    return std::ranges::find(pieces, part, &Piece::part) != pieces.end();
}

std::size_t TableTemplate::groups() const {
    std::size_t most = 0;
    for (const auto& piece : pieces) {
        most = std::max(most, piece.group);
    }
    return most;
}

Result<TableTemplate> parse_table_template(std::string_view text) {
    TableTemplate name;
    while (!text.empty()) {
        const auto open = text.find('{');
        const std::string_view plain = text.substr(0, open);
        if (plain.find('}') != std::string_view::npos) {
            return bad_setting("a table's name has a } without its {", std::string(what_may_stand));
        }
        if (!plain.empty()) {
            name.pieces.push_back({.part = TableTemplate::Part::text, .text = std::string(plain)});
        }
        if (open == std::string_view::npos) {
            break;
        }
        const auto close = text.find('}', open);
        if (close == std::string_view::npos) {
            return bad_setting("a table's name has a { without its }", std::string(what_may_stand));
        }
        SLUICE_ASSIGN(auto piece, parse_placeholder(text.substr(open + 1, close - open - 1), name));
        name.pieces.push_back(std::move(piece));
        text.remove_prefix(close + 1);
    }
    return name;
}

std::string fill_table_template(const TableTemplate& name, const TopicMatch& topic,
                                std::string_view field) {
    std::string out;
    for (const auto& piece : name.pieces) {
        switch (piece.part) {
            case TableTemplate::Part::text:
                out += piece.text;
                break;
            case TableTemplate::Part::topic:
                out += of_topic(topic.topic);
                break;
            case TableTemplate::Part::group:
                out += of_topic(topic.groups[piece.group - 1]);
                break;
            case TableTemplate::Part::field:
                out += field;
                break;
        }
    }
    return out;
}

}  // namespace sluice
