#include "app/profile.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/text.hpp"
#include "decode/decode.hpp"

namespace sluice {
namespace {

const TopicPartition nowhere{"sample", PartitionId{0}};

class Profiler {
public:
    void add(const KeptRecord& kept) {
        const Record record = kept.view();
        ++profile_.records;
        add_key(record);
        add_value(record);
    }
    TopicProfile take() {
        profile_.different_keys = keys_.size();
        count_values(profile_.fields, "");
        return std::move(profile_);
    }

private:
    void add_key(const Record& record) {
        if (!record.key) {
            return;
        }
        ++profile_.keys;
        keys_.emplace(*record.key);
        if (!is_utf8(*record.key)) {
            ++profile_.binary_keys;
        }
        Event event;
        Record alone = record;
        alone.value = std::nullopt;
        const bool read = key_decoder_
                              .decode(alone, Format::connect_json, Format::bytes,
                                      DuplicateNames::last, event)
                              .has_value();
        if (!read || event.key.json.root().type != JsonType::object) {
            return;
        }
        ++profile_.object_keys;
        const auto& nodes = event.key.json.nodes;
        for (std::size_t i = 1; i < nodes.front().end; i = nodes[i].end) {
            const std::string name(nodes[i].name);
            if (std::ranges::find(profile_.key_members, name) == profile_.key_members.end()) {
                profile_.key_members.push_back(name);
            }
        }
    }

    void add_value(const Record& record) {
        if (!record.value) {
            ++profile_.tombstones;
            return;
        }
        const std::string_view bytes = *record.value;
        // A zero byte, and a schema's id of four.
        profile_.registry += bytes.size() > 5 && bytes.front() == '\0' ? 1 : 0;
        profile_.binary += is_utf8(bytes) ? 0 : 1;
        Event event;
        const bool read = value_decoder_
                              .decode(record, Format::bytes, Format::connect_json,
                                      DuplicateNames::last, event)
                              .has_value();
        if (!read || event.value.json.root().type != JsonType::object) {
            return;
        }
        ++profile_.objects;
        profile_.with_schema += event.value.schema != nullptr ? 1 : 0;
        const JsonDocument& json = event.value.json;
        const JsonNode& root = json.root();
        const auto* op = json.member(root, "op");
        const bool envelope = op != nullptr && op->type == JsonType::string &&
                              (json.member(root, "after") != nullptr ||
                               json.member(root, "before") != nullptr);
        profile_.envelopes += envelope ? 1 : 0;
        profile_.flattened += json.member(root, "__deleted") != nullptr ? 1 : 0;
        add_members(json, 0, profile_.fields, "", record.key.value_or(""));
    }

    void add_members(const JsonDocument& json, std::size_t object,
                     std::vector<FieldProfile>& fields, const std::string& path,
                     std::string_view key) {
        const auto& nodes = json.nodes;
        for (std::size_t i = object + 1; i < nodes[object].end; i = nodes[i].end) {
            const JsonNode& node = nodes[i];
            auto found = std::ranges::find(fields, node.name, &FieldProfile::name);
            if (found == fields.end()) {
                fields.push_back({.name = std::string(node.name), .parts = {}});
                found = fields.end() - 1;
            }
            add_field(node, *found, path + "\n" + found->name, key);
            if (node.type == JsonType::object && path.empty()) {
                add_members(json, i, found->parts, path + "\n" + found->name, key);
            }
        }
    }

    void add_field(const JsonNode& node, FieldProfile& field, const std::string& path,
                   std::string_view key) {
        ++field.seen;
        field.nulls += node.type == JsonType::null ? 1 : 0;
        field.objects += node.type == JsonType::object ? 1 : 0;
        field.texts += node.type == JsonType::string ? 1 : 0;
        if (node.type == JsonType::null || node.type == JsonType::object) {
            return;
        }
        const std::string_view text = node.type == JsonType::string ? node.text : node.raw;
        field.as_key += text == key ? 1 : 0;
        values_[path].emplace(text);
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (node.type == JsonType::number && error == std::errc{} &&
            end == text.data() + text.size()) {
            ++field.integers;
            field.least = std::min(field.least, number);
            field.most = std::max(field.most, number);
        }
    }

    void count_values(std::vector<FieldProfile>& fields, const std::string& path) {
        for (auto& field : fields) {
            field.different = values_[path + "\n" + field.name].size();
            count_values(field.parts, path + "\n" + field.name);
        }
    }

    TopicProfile profile_;
    Decoder key_decoder_;
    Decoder value_decoder_;
    std::unordered_set<std::string> keys_;
    // By the names that lead there, each behind a line's end.
    std::unordered_map<std::string, std::unordered_set<std::string>> values_;
};

}  // namespace

Record KeptRecord::view() const {
    return {.partition = &nowhere,
            .offset = offset,
            .timestamp_ms = 0,
            .key = key ? std::optional<std::string_view>(*key) : std::nullopt,
            .value = value ? std::optional<std::string_view>(*value) : std::nullopt,
            .headers = {}};
}

TopicProfile profile_of(std::span<const KeptRecord> records) {
    Profiler profiler;
    for (const auto& record : records) {
        profiler.add(record);
    }
    return profiler.take();
}

}  // namespace sluice
