// Reads typed settings from a YAML tree and collects every problem on the way, each with its
// place, what is allowed and the nearest known name. A getter that returns nothing has already
// reported why, so that callers go on to the next setting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/interpolate.hpp"
#include "app/settings.hpp"
#include "app/yaml_tree.hpp"

namespace sluice {

// The problems of one configuration.
class Problems {
public:
    void add(const Place& place, std::string detail, std::string hint = {});
    // `error` tells detail and hint, `place` where.
    void add(const Place& place, Error error);
    [[nodiscard]] bool empty() const { return found_.empty(); }
    // In the order of the file; after the first hundred, how many more there are.
    std::vector<Error> take();

private:
    std::vector<std::pair<Place, Error>> found_;
};

struct ReadContext {
    const Environment& environment;
    Problems& problems;
};

// A scalar after interpolation.
struct Text {
    std::string value;
    std::string spelling;     // As the file has it.
    bool references = false;  // `value` came from outside and is not quoted in errors.
    // For errors: "'abc'", or "'${VAR}'" in place of what it stands for.
    [[nodiscard]] std::string shown() const;
};

class YamlMap;

// One value, and the path by which the file reaches it: "kafka.brokers", "routes[0].topic".
class YamlReader {
public:
    YamlReader(const YamlNode& node, std::string path, ReadContext context)
        : node_(&node), path_(std::move(path)), context_(context) {}

    [[nodiscard]] YamlNode::Kind kind() const { return node_->kind; }
    [[nodiscard]] const Place& place() const { return node_->place; }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const ReadContext& context() const { return context_; }
    [[nodiscard]] bool is_plain(std::string_view text) const;
    // An explicit `null`, where that is a value.
    [[nodiscard]] bool is_null_word() const;

    std::optional<Text> text() const;  // Any scalar, interpolated; may be empty.
    std::optional<Text> text_not_empty() const;
    std::optional<int> integer(int min, int max) const;
    // "20ms" to "30d"; `allowed` tells the range for people: "100ms to 1h".
    std::optional<std::int64_t> duration_ms(std::int64_t min, std::int64_t max,
                                            std::string_view allowed) const;
    // "512KiB" to "64GiB", as above.
    std::optional<std::int64_t> bytes(std::int64_t min, std::int64_t max,
                                      std::string_view allowed) const;
    // The index of the word in `words`.
    std::optional<std::size_t> choice(settings::Names words) const;
    // Scalars of a list, or one scalar; `comma` also splits a scalar "a,b". Never empty.
    std::optional<std::vector<std::pair<Text, Place>>> texts(bool comma) const;
    // Of a list: its items; of anything else: itself.
    std::vector<YamlReader> items() const;
    // A map with just these names, or one with names of the user's own.
    std::optional<YamlMap> map(settings::Names known) const;
    std::optional<YamlMap> open_map(std::string_view what) const;

    void problem(std::string detail, std::string hint = {}) const;

private:
    std::optional<YamlMap> checked_map(settings::Names known, bool open,
                                       std::string_view shape) const;
    void wrong_kind(std::string_view wanted) const;
    // What is said of a value that can't be read.
    struct Unread {
        std::string_view detail;
        std::string_view hint;
    };
    std::optional<std::int64_t> with_unit(std::optional<std::int64_t> (*parse)(std::string_view),
                                          std::int64_t min, std::int64_t max,
                                          std::string_view allowed, const Unread& unread) const;

    const YamlNode* node_;
    std::string path_;
    ReadContext context_;
};

class YamlMap {
public:
    struct Entry {
        std::string name;
        Place place;  // The name's.
        YamlReader value;
    };

    YamlMap(YamlReader self, settings::Names known) : self_(std::move(self)), known_(known) {}

    [[nodiscard]] const YamlReader& self() const { return self_; }
    // The value of a known setting, or nothing where the map does not say it.
    [[nodiscard]] const YamlReader* find(std::string_view name) const;
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

private:
    friend class YamlReader;
    YamlReader self_;
    settings::Names known_;
    std::vector<Entry> entries_;
};

// "allowed: a, b, c", and the candidate that `word` was meant to be, if one is near.
std::string allowed_names(std::string_view word, settings::Names names);

}  // namespace sluice
