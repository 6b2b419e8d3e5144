// From routes with patterns and tables whose names are made of something to topics and tables that
// have names. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "app/config.hpp"

namespace sluice {

// Some route finds its topics by a pattern.
bool finds_topics(const Config& config);

struct Expanded {
    // Every topic and table by its name; a route whose pattern finds nothing is not in it.
    Config config;
    // Topics that were found and are left out: no table can have the name that is made of theirs.
    std::vector<Error> refused;
};
// `names`: the topics that patterns may find. A topic belongs to the route that names it, else to
// the first one whose pattern finds it; the dead letters' topic to none, nor, in a route with mode
// changes, Debezium's `<prefix>.transaction`.
Expanded expand(const Config& config, std::span<const std::string> names);

}  // namespace sluice
