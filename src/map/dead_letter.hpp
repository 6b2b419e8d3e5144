// Record to the row of a table of dead letters. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "model/cell.hpp"
#include "model/dead_letter.hpp"
#include "model/record.hpp"
#include "model/row.hpp"

namespace sluice {

// One per thread.
class DeadLetterMapper {
public:
    // Key and value as they came. Headers as a JSON array of {"name": …, "value": …}, or "hex"
    // for a value that is not UTF-8; null where there is none. `reason` is the error's step and
    // code, `error` its message: neither holds a value of the record.
    // The row lives until the next map(), and no longer than the record.
    Row map(const Record& record, const Error& error, std::uint32_t target);

private:
    std::array<Cell, dead_letter_columns.size()> cells_;
    std::string headers_;
    std::string reason_;
    std::string error_;
};

}  // namespace sluice
