// The formats of times of day, intervals, bits, points and arrays. For encode.cpp.
#pragma once

#include <string>

#include "model/convert.hpp"
#include "sinks/postgres/catalog.hpp"

namespace sluice::postgres {

convert::Fit<void> encode_time(const Column& column, const Cell& cell, std::string& out);
convert::Fit<void> encode_interval(const Cell& cell, std::string& out);
convert::Fit<void> encode_bits(const Column& column, const Cell& cell, std::string& out);
convert::Fit<void> encode_point(const Cell& cell, std::string& out);
convert::Fit<void> encode_array(const Column& column, const Cell& cell, std::string& out);

}  // namespace sluice::postgres
