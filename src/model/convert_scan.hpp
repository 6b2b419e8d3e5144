// Texts of dates and times, read from the left. For convert_time.cpp and convert_span.cpp.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sluice::convert::parts {

// A text read from the left; `good` turns false at the first thing that is not there.
class Scanner {
public:
    explicit Scanner(std::string_view rest) : rest_(rest) {}

    int digits(std::size_t count) {
        if (rest_.size() < count) {
            good_ = false;
            return 0;
        }
        int value = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const char c = rest_[i];
            good_ = good_ && c >= '0' && c <= '9';
            value = value * 10 + (c - '0');
        }
        rest_.remove_prefix(count);
        return good_ ? value : 0;
    }
    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }
    void expect(char c) { good_ = take(c) && good_; }
    void fail() { good_ = false; }
    [[nodiscard]] char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
    [[nodiscard]] bool digit_next() const { return peek() >= '0' && peek() <= '9'; }
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
    bool good_ = true;
};

// Digits after the point as microseconds; nothing where a digit would be lost.
inline std::optional<int> scan_fraction(Scanner& text) {
    int us = 0;
    int place = 100'000;
    bool exact = true;
    if (!text.digit_next()) {
        text.fail();
    }
    while (text.digit_next()) {
        const int digit = text.digits(1);
        exact = exact && (place > 0 || digit == 0);
        us += digit * place;
        place /= 10;
    }
    return exact ? std::optional(us) : std::nullopt;
}

// What a text says about its offset from UTC, in seconds; nothing where it says nothing.
inline std::optional<int> scan_offset(Scanner& text) {
    if (text.at_end()) {
        return std::nullopt;
    }
    if (text.take('Z') || text.take('z')) {
        return 0;
    }
    const bool west = text.peek() == '-';
    if (!text.take('-')) {
        text.expect('+');
    }
    const int hours = text.digits(2);
    int minutes = 0;
    if (!text.at_end()) {
        (void)text.take(':');
        minutes = text.digits(2);
    }
    if (hours > 23 || minutes > 59) {
        text.fail();
    }
    const int seconds = (hours * 60 + minutes) * 60;
    return west ? -seconds : seconds;
}

}  // namespace sluice::convert::parts
