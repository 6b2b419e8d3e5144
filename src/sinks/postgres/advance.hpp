// How far a transaction moves one partition's progress.
#pragma once

#include "base/uuid.hpp"
#include "model/ids.hpp"

namespace sluice::postgres {

struct Advance {
    OffsetRange range;
    Uuid topic_id;  // A topic of the same name that was made since has another one.
};

}  // namespace sluice::postgres
