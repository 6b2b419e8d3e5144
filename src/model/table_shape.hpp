// What a table must look like to take a topic's records: found in their schema, or in a sample of
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/cell.hpp"
#include "model/target.hpp"

namespace sluice {

enum class ShapeKind : std::uint8_t {
    nothing,  // No value was seen.
    boolean,
    int16,
    int32,
    int64,
    integer,  // Of any size.
    float32,
    float64,
    decimal,
    text,
    json,
    bytes,
    uuid,
    date,
    time,
    time_with_zone,
    timestamp,  // Of no zone.
    instant,
    interval,
    bits,
    point,
};

struct Shape {
    ShapeKind kind = ShapeKind::nothing;
    bool array = false;  // Of such.
    // The finest that a time, a timestamp or an instant may hold.
    TimeUnit finest = TimeUnit::none;
    bool is_number = false;  // Likewise: it is written as one, not as a text.
    bool operator==(const Shape&) const = default;
};

struct ColumnShape {
    std::string name;
    Path path;
    Shape shape;
    bool from_schema = false;  // A guess otherwise.
    std::size_t values = 0;    // So many were seen, and
    std::size_t nulls = 0;     // so many nulls.
    bool operator==(const ColumnShape&) const = default;
};

struct TableShape {
    std::vector<ColumnShape> columns;  // Key columns first, in the order of `key`.
    std::vector<std::string> key;      // Empty in append.
    std::size_t records = 0;           // That it was found in.
};

// Reads records for route.targets[target], and tells what they need. Fails with Action::retry where
// there are none yet. Blocks.
using ShapeFinder = std::function<Result<TableShape>(const Route& route, std::size_t target)>;

}  // namespace sluice
