// How dead letters are told. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "sinks/stored_letters.hpp"

namespace sluice {

// Nothing in it makes a terminal do anything: control characters, those that turn the direction
// of text, and bytes that are no UTF-8 are written as \xNN; with `lines`, line ends and tabs stay.
std::string harmless(std::string_view bytes, bool lines = false);

// How many letters there are of one lane, topic and reason.
class LetterCounts {
public:
    void add(const std::string& lane, const LetterInfo& letter);
    [[nodiscard]] std::size_t total() const { return total_; }
    // One line each: "postgres  orders  encode.number  12".
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::string json() const;  // An array of objects.

private:
    std::map<std::tuple<std::string, std::string, std::string>, std::size_t> counts_;
    std::size_t total_ = 0;
};

// Two lines: what it is, and its error, cut to `width` columns where that is not 0.
std::string line_of(const std::string& lane, const LetterInfo& letter, std::size_t width);
std::string json_of(const std::string& lane, const LetterInfo& letter);  // An object.
std::string whole(const std::string& lane, const StoredLetter& letter);

// Fills letter.headers from letter.headers_json.
Result<void> read_headers(StoredLetter& letter);

}  // namespace sluice
