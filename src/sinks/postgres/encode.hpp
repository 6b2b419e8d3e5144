// Cells to PostgreSQL's binary formats (as the type's receive function reads them). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/cell.hpp"
#include "model/convert.hpp"
#include "sinks/postgres/catalog.hpp"

namespace sluice::postgres {

// Lengths with a meaning, in place of a value's length. PostgreSQL knows only the first.
inline constexpr std::int32_t length_null = -1;
inline constexpr std::int32_t length_absent = -2;

// Appends the value's length and bytes. Null and absent are the caller's business.
// On failure `out` may have grown: the caller cuts it back.
convert::Fit<void> encode(const Column& column, const Cell& cell, std::string& out);

}  // namespace sluice::postgres
