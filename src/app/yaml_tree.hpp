// A YAML document as a tree of our own, in which every node knows its place. Built from
// yaml-cpp's events, so that limits hold while it parses and repeated keys stay visible; no
// header of yaml-cpp and no exception of it leaves yaml_tree.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.hpp"
#include "base/result.hpp"

namespace sluice {

struct YamlMember;

struct YamlNode {
    enum class Kind : std::uint8_t { null, scalar, list, map };

    Kind kind = Kind::null;
    bool plain = false;  // A scalar without quotes.
    std::string text;    // A scalar's; of a null "null", or "" where nothing is written at all.
    Place place;
    std::vector<YamlNode> items;      // Kind::list
    std::vector<YamlMember> members;  // Kind::map, in the order of the file, repeated keys too
};

struct YamlMember {
    YamlNode key;  // Always a scalar.
    YamlNode value;
};

inline constexpr std::size_t yaml_bytes_max = std::size_t{1} << 20;
inline constexpr std::size_t yaml_depth_max = 32;
// Far above any pipeline; keeps a hostile file under 100 MB of nodes.
inline constexpr std::size_t yaml_nodes_max = 100'000;

// One document. Refused, each with its place: what is not YAML, a second document, anchors and
// aliases (a few lines of them can stand for gigabytes), tags, and all beyond the limits above.
Result<YamlNode> parse_yaml(std::string_view text, const std::string& file);

// Nodes that come from a flag instead of a file.
YamlNode scalar_node(std::string text, Place place);
YamlNode map_node(Place place);
void add_member(YamlNode& map, std::string_view name, YamlNode value);

}  // namespace sluice
