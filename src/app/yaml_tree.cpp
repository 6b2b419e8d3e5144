#include "app/yaml_tree.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "base/text.hpp"

namespace sluice {
namespace {

Error yaml_error(const Place& place, std::string detail, std::string hint) {
    return {.action = Action::configure,
            .op = {},
            .where = place.to_string(),
            .code = {},
            .detail = std::move(detail),
            .hint = std::move(hint)};
}

Error alias_error(const Place& place) {
    return yaml_error(place, "anchors (&name) and aliases (*name) are not accepted",
                      "write the value out, or put it in quotes if it begins with & or *");
}

// The text by lines, to turn yaml-cpp's byte columns from 0 into an editor's columns from 1.
class Lines {
public:
    Lines(std::string_view text, const std::string& file) : file_(file) {
        while (!text.empty()) {
            const auto end = text.find('\n');
            lines_.push_back(text.substr(0, end));
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        }
    }
    [[nodiscard]] int lines() const { return static_cast<int>(lines_.size()); }
    [[nodiscard]] std::string_view line(int index) const {
        const auto at = static_cast<std::size_t>(std::max(index, 0));
        return at < lines_.size() ? lines_[at] : std::string_view{};
    }
    [[nodiscard]] Place place(int line_index, int byte) const {
        const auto text = line(line_index);
        const auto wanted = static_cast<std::size_t>(std::max(byte, 0));
        if (line_index != counted_line_ || wanted < counted_bytes_) {
            counted_line_ = line_index;
            counted_bytes_ = 0;
            counted_ = 0;
        }
        const auto more = text.substr(std::min(counted_bytes_, text.size()),
                                      wanted - counted_bytes_);
        counted_ += count_characters(more) + (wanted - counted_bytes_ - more.size());
        counted_bytes_ = wanted;
        return {.file = file_,
                .line = std::max(line_index, 0) + 1,
                .column = static_cast<int>(counted_) + 1};
    }
    [[nodiscard]] Place place(const YAML::Mark& mark) const {
        return place(mark.line, mark.column);
    }
    // What is written at `mark`, to the end of the line.
    [[nodiscard]] std::string_view at(const YAML::Mark& mark) const {
        const auto text = line(mark.line);
        const auto column = static_cast<std::size_t>(std::max(mark.column, 0));
        return column < text.size() ? text.substr(column) : std::string_view{};
    }

    // Whether the quoted text that begins at `mark` ends before the file does. yaml-cpp takes
    // the end of the file for a closing quote when an empty line is last.
    [[nodiscard]] bool closes_quote(const YAML::Mark& mark) const {
        auto text = at(mark);
        if (text.empty() || (text.front() != '"' && text.front() != '\'')) {
            return true;  // A block scalar.
        }
        const char quote = text.front();
        text.remove_prefix(1);
        for (int index = mark.line; index < lines(); text = line(++index)) {
            for (std::size_t i = 0; i < text.size(); ++i) {
                if (quote == '"' && text[i] == '\\') {
                    ++i;
                } else if (text.substr(i).starts_with("''") && quote == '\'') {
                    ++i;
                } else if (text[i] == quote) {
                    return true;
                }
            }
        }
        return false;
    }

private:
    const std::string& file_;
    std::vector<std::string_view> lines_;
    // The characters of a line up to some byte. Places are asked for from left to right, and a
    // line may be a million bytes long.
    mutable int counted_line_ = 0;
    mutable std::size_t counted_bytes_ = 0;
    mutable std::size_t counted_ = 0;
};

// Leaves yaml-cpp's parser; caught in parse_yaml.
struct Refused {
    Error error;
};

class TreeBuilder final : public YAML::EventHandler {
public:
    explicit TreeBuilder(const Lines& source) : source_(source) {}

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (done_) {
            refuse(mark, "a second document begins here", "a configuration is one document");
        }
    }
    void OnDocumentEnd() override { done_ = true; }

    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
        YamlNode node;
        node.place = source_.place(mark);
        // yaml-cpp reports `key: null` and `key:` alike; only the first was meant.
        const auto text = source_.at(mark).substr(0, 4);
        if (text == "null" || text == "Null" || text == "NULL" || text.starts_with('~')) {
            node.text = "null";
        }
        take(mark, std::move(node));
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_alias(mark); }
    void OnAnchor(const YAML::Mark& mark, const std::string&) override { refuse_alias(mark); }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  const std::string& value) override {
        refuse_tag(mark, tag);
        if (tag == "!" && !source_.closes_quote(mark)) {
            refuse(mark, "the file ends inside these quotes", "close the quotes");
        }
        YamlNode node;
        node.kind = YamlNode::Kind::scalar;
        node.plain = tag == "?";
        node.text = value;
        node.place = source_.place(mark);
        take(mark, std::move(node));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {
        open(mark, tag, YamlNode::Kind::list);
    }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {
        open(mark, tag, YamlNode::Kind::map);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapEnd() override { close(); }

    [[nodiscard]] bool done() const { return done_; }
    [[nodiscard]] YamlNode take_root() { return std::move(root_); }
    // Where the innermost list or map that is still open began.
    [[nodiscard]] std::optional<Place> open_place() const {
        return open_.empty() ? std::nullopt : std::optional(open_.back().node.place);
    }

private:
    [[noreturn]] void refuse(const YAML::Mark& mark, std::string detail, std::string hint) const {
        throw Refused{yaml_error(source_.place(mark), std::move(detail), std::move(hint))};
    }
    [[noreturn]] void refuse_alias(const YAML::Mark& mark) const {
        throw Refused{alias_error(source_.place(mark))};
    }

    struct Open {
        YamlNode node;
        std::optional<YamlNode> key;  // Of a map: read, and its value not yet.
    };

    void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
        if (!tag.empty() && tag != "?" && tag != "!") {
            refuse(mark, "tags (!name) are not accepted",
                   "write the plain value, or put it in quotes if it begins with !");
        }
    }
    void open(const YAML::Mark& mark, const std::string& tag, YamlNode::Kind kind) {
        refuse_tag(mark, tag);
        if (open_.size() >= yaml_depth_max) {
            refuse(mark, "lists and maps are nested deeper than " + std::to_string(yaml_depth_max),
                   "no setting is nested that deep");
        }
        Open entry;
        entry.node.kind = kind;
        entry.node.place = source_.place(mark);
        open_.push_back(std::move(entry));
    }
    void close() {
        YamlNode node = std::move(open_.back().node);
        open_.pop_back();
        take({}, std::move(node));
    }
    void take(const YAML::Mark& mark, YamlNode node) {
        if (++nodes_ > yaml_nodes_max) {
            refuse(mark, "the file has more than " + std::to_string(yaml_nodes_max) + " values",
                   "split it into several pipelines");
        }
        if (open_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& parent = open_.back();
        if (parent.node.kind == YamlNode::Kind::list) {
            parent.node.items.push_back(std::move(node));
        } else if (parent.key) {
            // Where nothing is written, yaml-cpp's mark is that of whatever comes next.
            if (node.kind == YamlNode::Kind::null && node.text.empty()) {
                node.place = parent.key->place;
            }
            parent.node.members.push_back({std::move(*parent.key), std::move(node)});
            parent.key.reset();
        } else {
            take_key(parent, std::move(node));
        }
    }
    static void take_key(Open& parent, YamlNode node) {
        if (node.kind != YamlNode::Kind::scalar) {
            throw Refused{yaml_error(node.place, "the name of a setting must be a word",
                                     "write `name: value`; put a name like null in quotes, and a "
                                     "value that begins with { or [ too")};
        }
        parent.key = std::move(node);
    }

    const Lines& source_;
    YamlNode root_;
    std::vector<Open> open_;
    std::size_t nodes_ = 0;
    bool done_ = false;
};

struct Explanation {
    std::string_view theirs;  // How yaml-cpp's message begins.
    std::string_view detail;
    std::string_view hint;
};

// yaml-cpp names what its scanner met; these say what a person did.
constexpr std::array explanations{
    Explanation{"end of map flow", "this { is not closed, or something in it is not YAML",
                "close it with }, separate with commas, quote values that hold any of {}[],:#"},
    Explanation{"end of sequence flow", "this [ is not closed, or something in it is not YAML",
                "close it with ], separate with commas, quote values that hold any of {}[],:#"},
    Explanation{"end of map", "the indentation does not fit what stands above",
                "give all settings of one section the same indentation"},
    Explanation{"end of sequence", "the indentation does not fit what stands above",
                "give all items of one list the same indentation"},
    Explanation{"illegal map value", "a ':' that can't stand here",
                "check the indentation, and quote a value that holds ': '"},
    Explanation{"illegal map key", "a '?' or a name that can't stand here",
                "check the indentation"},
    Explanation{"illegal block entry", "a '-' that can't stand here", "check the indentation"},
    Explanation{"illegal flow end", "a closing bracket without an opening one",
                "remove it, or quote the value"},
    Explanation{"illegal EOF in scalar", "the file ends inside quotes", "close the quotes"},
    Explanation{"unknown escape", "a backslash before a letter that has no meaning there",
                "use single quotes for text with backslashes, or write \\\\"},
    Explanation{"unknown token", "a value can't begin with this character",
                "put the value in quotes"},
};

constexpr std::string_view flow_reference_hint =
    "put \"${…}\" in quotes where it stands inside [ ] or { }";

// The line that yaml-cpp complains about or the one above, where its indentation has a tab.
std::optional<Place> tab_place(const Lines& source, const YAML::Mark& mark) {
    for (const int line : {mark.line, mark.line - 1}) {
        const auto text = source.line(line);
        const auto tab = text.substr(0, text.find_first_not_of(" \t")).find('\t');
        if (line >= 0 && tab != std::string_view::npos) {
            return source.place(line, static_cast<int>(tab));
        }
    }
    return std::nullopt;
}

Error explain(const YAML::Exception& problem, const Lines& source, const TreeBuilder& builder) {
    const std::string_view message = problem.msg;
    Place place = source.place(problem.mark);
    if (message.starts_with("the referenced anchor")) {
        return alias_error(place);
    }
    if (const auto tab = tab_place(source, problem.mark)) {
        return yaml_error(*tab, "a tab in the indentation", "indent with spaces");
    }
    const auto found = std::ranges::find_if(
        explanations, [&](const Explanation& e) { return message.starts_with(e.theirs); });
    if (found == explanations.end()) {
        return yaml_error(place, "this is not YAML", "check the indentation and the quotes");
    }
    std::string_view hint = found->hint;
    if (message.find(" flow ") != std::string_view::npos) {
        if (source.line(problem.mark.line).find("${") != std::string_view::npos) {
            hint = flow_reference_hint;
        } else if (const auto open = builder.open_place()) {
            place = *open;
        }
    }
    return yaml_error(place, std::string(found->detail), std::string(hint));
}

std::optional<Error> refuse_bytes(std::string_view text, const Lines& source,
                                  const std::string& file) {
    if (text.size() > yaml_bytes_max) {
        return yaml_error({.file = file, .line = 1, .column = 1}, "the file is larger than 1 MiB",
                          "a configuration is a few KiB; is this the right file?");
    }
    if (is_utf8(text) && text.find('\0') == std::string_view::npos) {
        return std::nullopt;
    }
    int line = 0;
    while (line + 1 < source.lines() && is_utf8(source.line(line)) &&
           source.line(line).find('\0') == std::string_view::npos) {
        ++line;
    }
    return yaml_error(source.place(line, 0), "this line is not text",
                      "save the file as UTF-8, without NUL bytes");
}

}  // namespace

Result<YamlNode> parse_yaml(std::string_view text, const std::string& file) {
    if (text.starts_with("\xef\xbb\xbf")) {  // A byte order mark; yaml-cpp does not count it.
        text.remove_prefix(3);
    }
    const Lines source(text, file);
    if (auto refused = refuse_bytes(text, source, file)) {
        return fail(std::move(*refused));
    }
    TreeBuilder builder(source);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const Refused& refused) {
        return fail(refused.error);
    } catch (const YAML::Exception& problem) {
        return fail(explain(problem, source, builder));
    }
    if (!builder.done()) {
        return fail(yaml_error({.file = file, .line = 1, .column = 1}, "the file says nothing",
                               "docs/configuration.md begins with an example"));
    }
    return builder.take_root();
}

YamlNode scalar_node(std::string text, Place place) {
    YamlNode node;
    node.kind = YamlNode::Kind::scalar;
    node.text = std::move(text);
    node.place = std::move(place);
    return node;
}

YamlNode map_node(Place place) {
    YamlNode node;
    node.kind = YamlNode::Kind::map;
    node.place = std::move(place);
    return node;
}

void add_member(YamlNode& map, std::string_view name, YamlNode value) {
    YamlNode key = scalar_node(std::string(name), value.place);
    map.members.push_back({std::move(key), std::move(value)});
}

}  // namespace sluice
