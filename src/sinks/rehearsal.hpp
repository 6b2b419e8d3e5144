// What a database would say of rows, without writing them.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "model/record.hpp"
#include "model/row.hpp"
#include "model/target.hpp"

namespace sluice {

class Rehearsal {
public:
    virtual ~Rehearsal() = default;

    // Complete, as far as their tables are there.
    [[nodiscard]] virtual std::span<const Route> routes() const = 0;
    // Whether all tables of the route are there.
    [[nodiscard]] virtual bool knows(std::uint32_t route) const = 0;
    // Encodes the row as a lane does, and forgets it. An error rejects its record.
    virtual Result<void> encode(std::uint32_t route, const Record& record, const Row& row) = 0;
};

}  // namespace sluice
