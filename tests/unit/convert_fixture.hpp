// Cells as a path finds them, and what a conversion made of one.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "model/convert.hpp"

namespace sluice::test {

inline Cell cell_of(CellKind kind, std::string_view text = {}) {
    Cell cell;
    cell.kind = kind;
    cell.text = text;
    cell.raw = text;
    return cell;
}
inline Cell number(std::string_view token) { return cell_of(CellKind::number, token); }
inline Cell string(std::string_view text) { return cell_of(CellKind::string, text); }
inline Cell text(std::string_view text) { return cell_of(CellKind::text, text); }
inline Cell bytes(std::string_view text) { return cell_of(CellKind::bytes, text); }
inline Cell json(std::string_view raw) { return cell_of(CellKind::json, raw); }
inline Cell boolean(bool value) {
    Cell cell = cell_of(CellKind::boolean);
    cell.boolean = value;
    cell.raw = value ? "true" : "false";
    return cell;
}
inline Cell integer(std::int64_t value) {
    Cell cell = cell_of(CellKind::integer);
    cell.integer = value;
    return cell;
}
inline Cell time_ms(std::int64_t value) {
    Cell cell = integer(value);
    cell.kind = CellKind::time_ms;
    return cell;
}
// The cell, to be read so.
inline Cell as(Reading reading, Cell cell) {
    cell.reading = reading;
    return cell;
}
inline Cell uuid_cell() {
    Cell cell = cell_of(CellKind::uuid);
    cell.uuid = *parse_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    return cell;
}

template <class T>
std::string outcome(const convert::Fit<T>& fit) {
    return fit ? "a value" : fit.error().reason + " | " + fit.error().hint;
}

// The reason of a refusal; a test failure where there is none.
template <class T>
std::string reason(const convert::Fit<T>& fit) {
    EXPECT_FALSE(fit.has_value());
    return fit ? "" : fit.error().reason;
}
template <class T>
std::string hint(const convert::Fit<T>& fit) {
    EXPECT_FALSE(fit.has_value());
    return fit ? "" : fit.error().hint;
}

}  // namespace sluice::test
