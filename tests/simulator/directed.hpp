// Histories whose course is laid down, for what chance meets once in many thousands.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "simulator/history.hpp"

namespace sluice::sim {

struct Directed {
    std::string name;
    Database database;
    // What was wrong, or nothing.
    std::function<std::optional<std::string>(History&)> run;
};

const std::vector<Directed>& directed_schedules();

}  // namespace sluice::sim
