// What goes into a statement as text, and what comes back as such. Apart from the connection, so
// that the simulator can put a connection of its own in that one's place.
#include <charconv>

#include "base/check.hpp"
#include "sinks/postgres/connection.hpp"

namespace sluice::postgres {

std::int64_t Rows::integer(std::size_t row, std::size_t column) const {
    const std::string& digits = text(row, column);
    std::int64_t value = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    check(parsed.ec == std::errc{}, "the server sent an integer");
    return value;
}

std::string quote_identifier(std::string_view name) {
    std::string out = "\"";
    for (const char c : name) {
        if (c == '"') {
            out.push_back('"');
        }
        out.push_back(c);
    }
    out.push_back('"');
    return out;
}

std::string quote_literal(std::string_view text) {
    // The E'' form means the same whatever standard_conforming_strings says.
    std::string out = "E'";
    for (const char c : text) {
        check(c != '\0', "no NUL in a SQL constant");
        if (c == '\'' || c == '\\') {
            out.push_back(c);
        }
        out.push_back(c);
    }
    out.push_back('\'');
    return out;
}

}  // namespace sluice::postgres
