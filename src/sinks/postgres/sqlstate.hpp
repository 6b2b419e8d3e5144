// What a SQLSTATE means for the caller; the lists are those of the PostgreSQL manual, appendix A.
#pragma once

#include <string_view>

#include "base/error.hpp"

namespace sluice::postgres {

inline constexpr std::string_view lock_not_available = "55P03";

// `constraint` is the name that the error carries: a 23514 without one means that no partition
// of a partitioned table takes the row, which is the table's fault and not the record's.
Action action_for(std::string_view sqlstate, std::string_view constraint);
// True where a record's error may as well be the table's: its triggers and constraints can refuse
// every row, whatever it holds.
bool may_be_tables_fault(std::string_view sqlstate);
// True where another session may fare better: the server is a standby, or a pooler has mixed up
// what belongs to whom.
bool needs_reconnect(std::string_view sqlstate);
// As for action_for(), 23514 without a constraint's name is another thing than with one.
// What happened, in our own words, where the server's may quote a value; empty for the others.
std::string_view without_values(std::string_view sqlstate, std::string_view constraint);
// What a person can do about it; empty where nothing general can be said.
std::string_view hint_for(std::string_view sqlstate, std::string_view constraint = {});

}  // namespace sluice::postgres
