#include "app/topic_pattern.hpp"

#include <utility>

namespace sluice {
namespace {

constexpr std::string_view internal = "__";

}  // namespace

std::optional<TopicPattern> TopicPattern::parse(const std::string& pattern) {
    try {
        return TopicPattern(std::regex(pattern, std::regex::ECMAScript | std::regex::optimize),
                            pattern.starts_with(internal));
    } catch (const std::regex_error&) {
        return std::nullopt;
    }
}

std::optional<TopicMatch> TopicPattern::match(const std::string& topic) const {
    if (topic.starts_with(internal) && !finds_internal_) {
        return std::nullopt;
    }
    std::smatch found;
    try {
        if (!std::regex_match(topic, found, expression_)) {
            return std::nullopt;
        }
    } catch (const std::regex_error&) {
        return std::nullopt;  // Too complex for this name.
    }
    TopicMatch match{.topic = topic, .groups = {}};
    for (std::size_t i = 1; i < found.size(); ++i) {
        match.groups.push_back(found[i].str());
    }
    return match;
}

}  // namespace sluice
