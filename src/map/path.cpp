#include "map/path.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "base/text.hpp"

namespace sluice {
namespace {

constexpr std::string_view roots_hint =
    "a path starts with value, key, headers.NAME, meta.NAME, or with item where `each` is";
constexpr std::string_view quotes_hint =
    R"(names with other characters stand in double quotes: value."a.b")";
constexpr std::array<std::string_view, 5> roots{"value", "key", "headers", "meta", "item"};
constexpr std::array<std::string_view, 6> meta_names{"topic",     "partition", "offset",
                                                     "timestamp", "id",        "item"};
constexpr std::array json_roots{std::pair{"value", Source::value}, std::pair{"key", Source::key},
                                std::pair{"item", Source::item}};
constexpr std::array meta_sources{Source::meta_topic,  Source::meta_partition,
                                  Source::meta_offset, Source::meta_timestamp,
                                  Source::meta_id,     Source::meta_item};

bool is_bare(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || static_cast<unsigned char>(c) >= 0x80;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> names,
                         std::string_view prefix, std::string_view otherwise) {
    std::string hint;
    if (const auto near = nearest(word, names)) {
        hint.append("did you mean `").append(prefix).append(*near).append("`? ");
    }
    return hint.append(otherwise);
}

class PathParser {
public:
    explicit PathParser(std::string_view text) : text_(text) {}

    Result<Path> parse() {
        path_.spelling = text_;
        if (text_.empty()) {
            return problem("a path is empty", roots_hint);
        }
        const auto root = bare();
        for (const auto& [name, source] : json_roots) {
            if (root == name) {
                path_.source = source;
                return steps();
            }
        }
        if (root == "headers") {
            return header();
        }
        if (root == "meta") {
            return meta();
        }
        at_ = 0;
        return problem("it starts with no known root", did_you_mean(root, roots, "", roots_hint));
    }

private:
    // `at_` is where it goes wrong.
    tl::unexpected<Error> problem(const std::string& what, std::string_view hint) const {
        const auto character = count_characters(text_.substr(0, at_)) + 1;
        return fail({.action = Action::configure,
                     .op = "path",
                     .where = {},
                     .code = {},
                     .detail = "`" + std::string(text_) + "` is no path: " + what + " (character " +
                               std::to_string(character) + ")",
                     .hint = std::string(hint)});
    }
    [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
    [[nodiscard]] bool next_is(char c) const { return !at_end() && text_[at_] == c; }

    std::string_view bare() {
        const auto rest = text_.substr(at_);
        const auto end = std::ranges::find_if_not(rest, is_bare);
        const auto word = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
        at_ += word.size();
        return word;
    }

    Result<std::string> name() {
        if (next_is('"')) {
            return quoted();
        }
        const auto word = bare();
        if (word.empty()) {
            return problem("a name is missing", quotes_hint);
        }
        return std::string(word);
    }

    Result<std::string> quoted() {
        const std::size_t opening = at_++;
        std::string out;
        while (!at_end()) {
            const char c = text_[at_++];
            if (c == '"') {
                return out;
            }
            if (c == '\\') {
                if (!next_is('"') && !next_is('\\')) {
                    --at_;
                    return problem("a backslash in a quoted name", R"(write \" or \\)");
                }
                out.push_back(text_[at_++]);
            } else {
                out.push_back(c);
            }
        }
        at_ = opening;
        return problem("a quote is not closed", "");
    }

    Result<Path> steps() {
        while (!at_end()) {
            if (next_is('.')) {
                ++at_;
                SLUICE_ASSIGN(auto step, name());
                path_.steps.emplace_back(std::move(step));
            } else if (next_is('[')) {
                SLUICE_ASSIGN(const auto step, index());
                path_.steps.emplace_back(step);
            } else {
                return problem("neither .name nor [index] follows", quotes_hint);
            }
        }
        return std::move(path_);
    }

    Result<std::uint32_t> index() {
        const std::size_t opening = at_++;
        std::uint32_t value = 0;
        const char* const last = text_.data() + text_.size();
        const auto [end, error] = std::from_chars(text_.data() + at_, last, value);
        if (error == std::errc::result_out_of_range) {
            return problem("an index is above 4294967295", "");
        }
        if (error != std::errc{}) {
            return problem("an index is missing", "write [0] for an array's first element");
        }
        at_ = static_cast<std::size_t>(end - text_.data());
        if (!next_is(']')) {
            at_ = opening;
            return problem("a bracket is not closed", "write [0] for an array's first element");
        }
        ++at_;
        return value;
    }

    Result<Path> header() {
        path_.source = Source::header;
        if (!next_is('.')) {
            return problem("a header's name is missing", "write headers.NAME");
        }
        ++at_;
        SLUICE_ASSIGN(path_.name, name());
        if (!at_end()) {
            return problem("a header has no parts",
                           R"(quote a name with other characters: headers."a.b")");
        }
        return std::move(path_);
    }

    Result<Path> meta() {
        const std::string known = "meta has " + join(meta_names);
        if (!next_is('.')) {
            return problem("what of meta is missing", known);
        }
        const std::size_t begin = ++at_;
        const auto word = bare();
        const auto found = std::ranges::find(meta_names, word);
        if (found == meta_names.end()) {
            at_ = begin;
            return problem("meta has no such part", did_you_mean(word, meta_names, "meta.", known));
        }
        if (!at_end()) {
            return problem("it has no parts", known);
        }
        path_.source = meta_sources[static_cast<std::size_t>(found - meta_names.begin())];
        return std::move(path_);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    Path path_;
};

}  // namespace

Result<Path> parse_path(std::string_view text) { return PathParser(text).parse(); }

}  // namespace sluice
