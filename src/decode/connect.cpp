#include "decode/connect.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace sluice {
namespace {

constexpr std::string_view white_space = " \n\t\r";
// Structs in each other; Debezium's have three.
constexpr std::size_t schema_depth_max = 32;

std::optional<ConnectType> type_named(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(ConnectType::structure); ++i) {
        if (to_string(static_cast<ConnectType>(i)) == name) {
            return static_cast<ConnectType>(i);
        }
    }
    return std::nullopt;
}

// Reads a schema from its JSON. One that JsonConverter would not write gives a reason.
class SchemaReader {
public:
    explicit SchemaReader(const JsonDocument& document) : document_(document) {}

    tl::expected<ConnectSchema, std::string> read(const JsonNode& node, std::size_t depth = 0) {
        if (depth > schema_depth_max) {
            return tl::unexpected(std::string("it is nested too deep"));
        }
        ConnectSchema schema;
        const auto type = type_named(text(node, "type"));
        if (!type) {
            return tl::unexpected(std::string("it names no type of Kafka Connect"));
        }
        schema.type = *type;
        schema.field = text(node, "field");
        schema.name = text(node, "name");
        const JsonNode* optional = document_.member(node, "optional");
        schema.optional = optional != nullptr && optional->boolean;
        if (const JsonNode* parameters = document_.member(node, "parameters")) {
            for (const JsonNode* each : children(*parameters)) {
                schema.parameters.emplace(each->name, each->text);
            }
        }
        for (const JsonNode* part : parts(node, *type)) {
            if (part == nullptr) {
                return tl::unexpected(std::string("a part of it is missing"));
            }
            auto read_part = read(*part, depth + 1);
            if (!read_part) {
                return read_part;
            }
            schema.parts.push_back(*std::move(read_part));
        }
        return schema;
    }

private:
    [[nodiscard]] std::string_view text(const JsonNode& node, std::string_view name) const {
        const JsonNode* member = document_.member(node, name);
        return member == nullptr ? std::string_view{} : member->text;
    }

    [[nodiscard]] std::vector<const JsonNode*> children(const JsonNode& node) const {
        std::vector<const JsonNode*> all;
        if (node.type == JsonType::array || node.type == JsonType::object) {
            const auto begin = static_cast<std::uint32_t>(&node - document_.nodes.data()) + 1;
            for (std::uint32_t i = begin; i < node.end; i = document_.nodes[i].end) {
                all.push_back(&document_.nodes[i]);
            }
        }
        return all;
    }

    // Null where one is missing.
    [[nodiscard]] std::vector<const JsonNode*> parts(const JsonNode& node, ConnectType type) const {
        switch (type) {
            case ConnectType::structure: {
                const JsonNode* fields = document_.member(node, "fields");
                return fields == nullptr ? std::vector<const JsonNode*>{nullptr}
                                         : children(*fields);
            }
            case ConnectType::array:
                return {document_.member(node, "items")};
            case ConnectType::map:
                return {document_.member(node, "keys"), document_.member(node, "values")};
            default:
                return {};
        }
    }

    const JsonDocument& document_;
};

// The members of an envelope; null where it is none.
struct Envelope {
    const JsonNode* schema = nullptr;
    const JsonNode* payload = nullptr;
};

Envelope envelope_of(const JsonDocument& document) {
    const JsonNode& root = document.root();
    if (root.type != JsonType::object || root.end < 3) {
        return {};
    }
    const JsonNode& first = document.nodes[1];
    if (first.end >= root.end) {
        return {};
    }
    const JsonNode& second = document.nodes[first.end];
    if (second.end != root.end) {
        return {};
    }
    if (first.name == "schema" && second.name == "payload") {
        return {&first, &second};
    }
    if (first.name == "payload" && second.name == "schema") {
        return {&second, &first};
    }
    return {};
}

}  // namespace

tl::expected<void, BadJson> ConnectReader::read(std::string_view bytes, JsonParser& parser,
                                                Decoded& out) {
    if (read_known(bytes, parser, out)) {
        return {};
    }
    return read_whole(bytes, parser, out);
}

// False where nothing is known of these bytes, or they are not what they look like: read as a
// whole they say what and where.
bool ConnectReader::read_known(std::string_view bytes, JsonParser& parser, Decoded& out) {
    const auto found = std::ranges::find_if(known_, [&](const Known& known) {
        return !known.prefix.empty() && bytes.starts_with(known.prefix);
    });
    const std::size_t end = bytes.find_last_not_of(white_space);
    if (found == known_.end() || end < found->prefix.size() || bytes[end] != '}') {
        return false;
    }
    std::rotate(known_.begin(), found, found + 1);
    const Known& known = known_.front();
    const auto payload = bytes.substr(known.prefix.size(), end - known.prefix.size());
    if (!parser.parse(payload, out.json)) {
        return false;
    }
    out.schema = known.schema.get();
    out.schema_id = known.id;
    out.text = out.json.root().raw;
    out.null = out.json.root().type == JsonType::null;
    return true;
}

tl::expected<void, BadJson> ConnectReader::read_whole(std::string_view bytes, JsonParser& parser,
                                                      Decoded& out) {
    out.schema = nullptr;
    out.schema_id = 0;
    out.text = bytes;
    if (auto parsed = parser.parse(bytes, out.json); !parsed) {
        return parsed;
    }
    const Envelope envelope = envelope_of(out.json);
    if (envelope.payload == nullptr) {
        return {};
    }
    const std::string_view payload = envelope.payload->raw;
    if (envelope.schema->type != JsonType::null) {
        if (auto known = read_schema(bytes, *envelope.schema, payload, out); !known) {
            return known;
        }
    }
    // Its nodes alone: paths begin at the payload.
    const auto parsed = parser.parse(payload, out.json);
    out.text = payload;
    out.null = out.json.root().type == JsonType::null;
    return parsed;
}

tl::expected<void, BadJson> ConnectReader::read_schema(std::string_view bytes, const JsonNode& node,
                                                       std::string_view payload, Decoded& out) {
    auto schema = SchemaReader(out.json).read(node);
    if (!schema) {
        return tl::unexpected(BadJson{"its `schema` is not one of Kafka Connect: " + schema.error(),
                                      static_cast<std::size_t>(node.raw.data() - bytes.data()),
                                      {}});
    }
    Known known{.prefix = {},
                .schema = std::make_unique<const ConnectSchema>(*std::move(schema)),
                .id = ++last_id_};
    const auto prefix = static_cast<std::size_t>(payload.data() - bytes.data());
    if (node.raw.data() < payload.data() && prefix <= prefix_bytes_max) {
        known.prefix = bytes.substr(0, prefix);
    }
    out.schema = known.schema.get();
    out.schema_id = known.id;
    std::erase_if(known_, [](const Known& each) { return each.prefix.empty(); });
    if (known_.size() == known_max) {
        known_.pop_back();
    }
    known_.insert(known_.begin(), std::move(known));
    return {};
}

}  // namespace sluice
