// The errors of this folder.
#pragma once

#include <string>

#include "base/error.hpp"
#include "model/event.hpp"
#include "model/target.hpp"

namespace sluice {

// For a value that is not what the schema beside it says.
inline constexpr auto schema_hint = "the schema and the payload of the record disagree";

// A record that can't be mapped. Without a column it is the whole value's fault.
Error rejected_record(const Event& event, const std::string& column, std::string detail,
                      std::string hint);
// A target that can't work for any record.
Error wrong_target(const Target& target, std::string detail, std::string hint);
// A key column without a value.
Error rejected_key(const Event& event, const ColumnSource& column, CellKind kind);

}  // namespace sluice
