// The zero-config table, which a target without a table of its own is written to. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "model/target.hpp"

namespace sluice {

inline constexpr std::string_view events_table = "events";

// The target's table as configured, or the zero-config one.
std::string_view table_of(const Target& target);
// True where a target of the route is the zero-config table.
bool feeds_events(const Route& route);

// True where the table's column is not named by the configuration, and yet filled.
bool is_filled_by_name(const Target& target, std::string_view column);
// What fills it: `value.<column>`, of change events `value.after.<column>`, the path of `"*"`, or
// what the name means in the zero-config table. There a column `id` is taken for the record's id
// where `may_hold_id`, and nothing fills a column of an unknown name.
std::optional<ColumnSource> source_by_name(const Target& target, const std::string& column,
                                           bool may_hold_id);

// `topic` has progress, but its table, which Sluice makes, is not there. A table made anew would
// lack what the progress says is written.
Error lost_table(std::string_view lane, std::string code, const Target& target,
                 const std::string& topic);

}  // namespace sluice
