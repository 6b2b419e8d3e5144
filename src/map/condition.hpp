// Which records a target takes, and which of them delete.
#pragma once

#include "base/uuid.hpp"
#include "model/event.hpp"
#include "model/target.hpp"

namespace sluice {

// Values that are neither text nor a number nor a boolean (objects, bytes, meta.timestamp, meta.id)
// are none of a condition's.
bool holds(const Condition& condition, const Event& event, const Uuid& topic_id);
// The same without what it says of the value, of which a tombstone has none: which rows it deletes
// is told by its key alone.
bool holds_of_tombstone(const Condition& condition, const Event& event, const Uuid& topic_id);
// Whether it is one of the records that the target makes rows of, as far as conditions say.
bool takes(const Target& target, const Event& event, const Uuid& topic_id);

}  // namespace sluice
