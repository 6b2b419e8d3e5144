// The shape of values: from what a Connect schema says, or from the values themselves.
#pragma once

#include "model/connect_schema.hpp"
#include "model/table_shape.hpp"

namespace sluice {

// As its values are written; an array's is its items'.
Shape shape_of(const ConnectSchema& schema);
// Of a single value, with the reading that the configuration declares. A string is a text, whatever
// stands in it: the next one may hold something else.
Shape shape_of(const Cell& cell);
// What takes both.
Shape widened(const Shape& a, const Shape& b);

}  // namespace sluice
