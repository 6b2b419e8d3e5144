// `sluice check --sample N`: what would become of records that are in the topics.
#pragma once

#include <string>
#include <vector>

#include "app/config.hpp"
#include "sinks/rehearsal.hpp"

namespace sluice {

struct Rehearsed {
    std::vector<std::string> notes;  // A line for each topic.
    std::vector<std::string>
        refused;  // By topic and column, each with the first error of its kind.
};

// Reads about `count` records of every topic of the lane, decodes, maps and encodes them as the
// lane would, and writes nothing. Fails where a topic can't be read.
Result<Rehearsed> rehearse(const Config& config, Rehearsal& rehearsal, std::size_t count);

}  // namespace sluice
