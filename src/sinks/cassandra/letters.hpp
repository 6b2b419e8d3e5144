// The dead letters of a table in Cassandra, and the way back of any.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "sinks/cassandra/destination.hpp"
#include "sinks/stored_letters.hpp"

namespace sluice::cassandra {

// A table that is missing has no letters.
Result<std::unique_ptr<LetterStore>> open_letters(const DestinationOptions& options,
                                                  const std::string& table, Deadline deadline);

// Writes the rows under the letter's clock, so that a later record of their keys still wins; then
// deletes the letter under the same one, where the routes' last targets are the table that it is
// in. Where both are done twice, by a second replay or after a crash, the tables are the same.
Result<std::unique_ptr<LetterWriter>> open_letter_writer(const DestinationOptions& options,
                                                         std::span<const Route> routes,
                                                         const Logger& log, Deadline deadline);

// Makes `record` a dead letter; the only target of `routes` is their table.
Result<void> write_letter(const DestinationOptions& options, std::span<const Route> routes,
                          const Record& record, ClockMicros clock, const Error& error,
                          const Logger& log, Deadline deadline);

}  // namespace sluice::cassandra
