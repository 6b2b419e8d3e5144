// The dead letters of a table in PostgreSQL, and their way back.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "sinks/postgres/destination.hpp"
#include "sinks/stored_letters.hpp"

namespace sluice::postgres {

// A table that is missing has no letters.
Result<std::unique_ptr<LetterStore>> open_letters(const DestinationOptions& options,
                                                  const std::string& table, Deadline deadline);

// One transaction takes the letter and writes its rows. Where the routes' last targets are the
// dead letters' table, it deletes it there. Letters of a topic are remembered by their records'
// place and time (see replayed.hpp).
Result<std::unique_ptr<LetterWriter>> open_letter_writer(const DestinationOptions& options,
                                                         std::span<const Route> routes,
                                                         Deadline deadline);

}  // namespace sluice::postgres
