// Passing over a record that can't be written, by hand.
#pragma once

#include <optional>
#include <span>

#include "sinks/postgres/advance.hpp"
#include "sinks/postgres/destination.hpp"

namespace sluice::postgres {

// Where the pipeline's progress stands; nothing where it has none.
Result<std::optional<Position>> progress_on(const DestinationOptions& options,
                                            const TopicPartition& partition, Deadline deadline);

// Moves the progress as `advance` says, where it stands there still, and in the same
// transaction makes `record` a dead letter for `error`, where `letters` has a route: one whose
// only target is their table. False: the progress stands elsewhere, nothing was changed.
Result<bool> pass_over(const DestinationOptions& options, const Advance& advance,
                       std::span<const Route> letters, const Record& record, const Error& error,
                       Deadline deadline);

}  // namespace sluice::postgres
