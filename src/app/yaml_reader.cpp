#include "app/yaml_reader.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/check.hpp"
#include "base/text.hpp"

namespace sluice {
namespace {

constexpr std::size_t problems_max = 100;  // More than anybody reads.

std::string_view kind_name(YamlNode::Kind kind) {
    switch (kind) {
        case YamlNode::Kind::null:
            return "nothing";
        case YamlNode::Kind::scalar:
            return "a single value";
        case YamlNode::Kind::list:
            return "a list";
        case YamlNode::Kind::map:
            return "a section of settings";
    }
    return "something else";
}

std::string quoted(std::string_view text) { return "'" + printable(text) + "'"; }

// Decimal digits with an optional minus; no sign games, octal or underscores.
std::optional<std::int64_t> parse_integer(std::string_view text) {
    const auto digits = text.substr(text.starts_with('-') ? 1 : 0);
    if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) {
        return std::nullopt;
    }
    std::int64_t number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

}  // namespace

std::string allowed_names(std::string_view word, settings::Names names) {
    std::string out = "allowed: " + join(names);
    auto near = nearest(word, names);
    if (!near && word.size() >= 3) {
        const auto starts = std::ranges::find_if(names, [&](std::string_view name) {
            return name.starts_with(word) || (name.size() >= 3 && word.starts_with(name));
        });
        if (starts != names.end()) {
            near = *starts;
        }
    }
    if (near) {
        out.append("; did you mean '").append(*near).append("'?");
    }
    return out;
}

void Problems::add(const Place& place, std::string detail, std::string hint) {
    add(place, Error{.action = Action::configure,
                     .op = {},
                     .where = {},
                     .code = {},
                     .detail = std::move(detail),
                     .hint = std::move(hint)});
}

void Problems::add(const Place& place, Error error) {
    error.action = Action::configure;
    error.where = place.to_string();
    found_.emplace_back(place, std::move(error));
}

std::vector<Error> Problems::take() {
    std::ranges::stable_sort(found_, {}, [](const auto& entry) {
        return std::pair(entry.first.line, entry.first.column);
    });
    std::vector<Error> errors;
    for (auto& [place, error] : found_) {
        if (errors.size() == problems_max) {
            error.detail = std::to_string(found_.size() - problems_max) + " more problems";
            error.hint = "is this the right file?";
            errors.push_back(std::move(error));
            break;
        }
        errors.push_back(std::move(error));
    }
    found_.clear();
    return errors;
}

std::string Text::shown() const { return quoted(references ? spelling : value); }

bool YamlReader::is_plain(std::string_view text) const {
    return node_->kind == YamlNode::Kind::scalar && node_->plain && node_->text == text;
}

bool YamlReader::is_null_word() const {
    return node_->kind == YamlNode::Kind::null && !node_->text.empty();
}

void YamlReader::problem(std::string detail, std::string hint) const {
    context_.problems.add(node_->place, std::move(detail), std::move(hint));
}

void YamlReader::wrong_kind(std::string_view wanted) const {
    if (node_->kind == YamlNode::Kind::null) {
        problem("'" + path_ + "' has no value",
                "give it " + std::string(wanted) + ", or remove it" +
                    (is_null_word() ? "; a text null is written \"null\"" : ""));
        return;
    }
    const std::string subject = path_.empty() ? "the configuration" : "'" + path_ + "'";
    problem(subject + " must be " + std::string(wanted) + ", not " +
            std::string(kind_name(node_->kind)));
}

std::optional<Text> YamlReader::text() const {
    if (node_->kind != YamlNode::Kind::scalar) {
        wrong_kind("a single value");
        return std::nullopt;
    }
    auto result = interpolate(node_->text, context_.environment);
    if (!result) {
        Error error = std::move(result).error();
        error.detail = "'" + path_ + "': " + error.detail;
        context_.problems.add(node_->place, std::move(error));
        return std::nullopt;
    }
    return Text{std::move(result->text), node_->text, result->references};
}

std::optional<Text> YamlReader::text_not_empty() const {
    auto value = text();
    if (value && value->value.empty()) {
        problem("'" + path_ + "' is empty", "give it a value, or remove it");
        return std::nullopt;
    }
    return value;
}

std::optional<int> YamlReader::integer(int min, int max) const {
    const auto value = text();
    if (!value) {
        return std::nullopt;
    }
    const std::string range = "allowed: a whole number from " + std::to_string(min) + " to " +
                              std::to_string(max);
    const auto number = parse_integer(value->value);
    if (!number) {
        problem("'" + path_ + "' is " + value->shown() + ", not a whole number",
                range + ", in decimal digits without leading zeros");
        return std::nullopt;
    }
    if (*number < min || *number > max) {
        problem("'" + path_ + "' is " + value->shown() + ", out of range", range);
        return std::nullopt;
    }
    return static_cast<int>(*number);
}

std::optional<std::int64_t> YamlReader::duration_ms(std::int64_t min, std::int64_t max,
                                                    std::string_view allowed) const {
    return with_unit(parse_duration_ms, min, max, allowed,
                     {", not a duration", "write a whole number and a unit: 500ms, 30s, 5m, 1h"});
}

std::optional<std::int64_t> YamlReader::bytes(std::int64_t min, std::int64_t max,
                                              std::string_view allowed) const {
    return with_unit(parse_bytes, min, max, allowed,
                     {", not a size", "write a whole number and a unit: 512KiB, 256MiB, 2GiB"});
}

std::optional<std::int64_t> YamlReader::with_unit(
    std::optional<std::int64_t> (*parse)(std::string_view), std::int64_t min, std::int64_t max,
    std::string_view allowed, const Unread& unread) const {
    const auto value = text();
    if (!value) {
        return std::nullopt;
    }
    const auto number = parse(value->value);
    if (!number) {
        problem("'" + path_ + "' is " + value->shown() + std::string(unread.detail),
                std::string(unread.hint));
        return std::nullopt;
    }
    if (*number < min || *number > max) {
        problem("'" + path_ + "' is " + value->shown() + ", out of range",
                "allowed: " + std::string(allowed));
        return std::nullopt;
    }
    return number;
}

std::optional<std::size_t> YamlReader::choice(settings::Names words) const {
    const auto value = text();
    if (!value) {
        return std::nullopt;
    }
    const auto found = std::ranges::find(words, value->value);
    if (found == words.end()) {
        problem("'" + path_ + "' is " + value->shown(), allowed_names(value->value, words));
        return std::nullopt;
    }
    return static_cast<std::size_t>(found - words.begin());
}

std::vector<YamlReader> YamlReader::items() const {
    if (node_->kind != YamlNode::Kind::list) {
        return {*this};
    }
    std::vector<YamlReader> readers;
    for (std::size_t i = 0; i < node_->items.size(); ++i) {
        readers.emplace_back(node_->items[i], path_ + "[" + std::to_string(i) + "]", context_);
    }
    return readers;
}

std::optional<std::vector<std::pair<Text, Place>>> YamlReader::texts(bool comma) const {
    if (node_->kind == YamlNode::Kind::null || node_->kind == YamlNode::Kind::map) {
        wrong_kind("a value or a list of values");
        return std::nullopt;
    }
    std::vector<std::pair<Text, Place>> out;
    bool whole = true;
    for (const auto& item : items()) {
        const auto value = item.text_not_empty();
        if (!value) {
            whole = false;
            continue;
        }
        std::string_view rest = value->value;
        while (comma && rest.find(',') != std::string_view::npos) {
            Text part = *value;
            part.value = trimmed(rest.substr(0, rest.find(',')));
            rest.remove_prefix(rest.find(',') + 1);
            out.emplace_back(std::move(part), item.place());
        }
        Text last = *value;
        last.value = comma ? trimmed(rest) : rest;
        out.emplace_back(std::move(last), item.place());
    }
    if (whole && out.empty()) {
        problem("'" + path_ + "' is an empty list", "name at least one");
    }
    return whole && !out.empty() ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<YamlMap> YamlReader::checked_map(settings::Names known, bool open,
                                               std::string_view shape) const {
    if (node_->kind != YamlNode::Kind::map) {
        wrong_kind(shape);
        return std::nullopt;
    }
    YamlMap map(*this, known);
    std::map<std::string_view, const Place*> seen;
    for (const auto& [key, value] : node_->members) {
        const std::string full = path_.empty() ? key.text : path_ + "." + key.text;
        const auto [first, is_new] = seen.emplace(key.text, &key.place);
        if (!is_new) {
            context_.problems.add(
                key.place, quoted(full) + " is said twice, first at " + first->second->to_string(),
                "keep one of them");
            continue;
        }
        map.entries_.push_back({key.text, key.place, YamlReader(value, full, context_)});
        if (open || std::ranges::find(known, key.text) != known.end()) {
            continue;
        }
        std::string hint = allowed_names(key.text, known);
        if (const auto home = settings::home_of(key.text); !home.empty()) {
            hint.append("; '" + key.text + "' belongs under ").append(home);
        }
        context_.problems.add(key.place, "unknown setting " + quoted(full), std::move(hint));
    }
    return map;
}

std::optional<YamlMap> YamlReader::map(settings::Names known) const {
    return checked_map(known, false, "a section of settings");
}

std::optional<YamlMap> YamlReader::open_map(std::string_view what) const {
    return checked_map({}, true, what);
}

const YamlReader* YamlMap::find(std::string_view name) const {
    check(std::ranges::find(known_, name) != known_.end(), "a setting that its section lists");
    const auto found = std::ranges::find(entries_, name, &Entry::name);
    return found == entries_.end() ? nullptr : &found->value;
}

}  // namespace sluice
