// A regular expression that topics are found by.
#pragma once

#include <cstddef>
#include <optional>
#include <regex>
#include <string>
#include <string_view>

#include "app/table_template.hpp"

namespace sluice {

// ECMAScript's grammar; it must match a whole name.
class TopicPattern {
public:
    // Nothing where it is no regular expression.
    static std::optional<TopicPattern> parse(const std::string& pattern);

    [[nodiscard]] std::size_t groups() const { return expression_.mark_count(); }
    // Topics of Kafka and Debezium themselves, whose names begin with two underscores, match only
    // where the pattern does so, too.
    [[nodiscard]] std::optional<TopicMatch> match(const std::string& topic) const;

private:
    TopicPattern(std::regex expression, bool finds_internal)
        : expression_(std::move(expression)), finds_internal_(finds_internal) {}

    std::regex expression_;
    bool finds_internal_;
};

}  // namespace sluice
