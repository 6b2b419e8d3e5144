// Parts of a configuration as YAML; inside app only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/target.hpp"

namespace sluice {

// In quotes where it needs them; what looks like a reference is no longer one.
std::string yaml_text(std::string_view text);
std::string yaml_list(const std::vector<std::string>& texts);
// What stands behind a column's name, and behind `when`.
std::string yaml_column(const ColumnSource& column);
std::string yaml_condition(const Condition& condition);

}  // namespace sluice
