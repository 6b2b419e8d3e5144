#include "app/print_config.hpp"

#include <algorithm>
#include <array>

#include "app/config.hpp"
#include "app/config_sections.hpp"
#include "app/interpolate.hpp"
#include "app/settings.hpp"
#include "base/text.hpp"
#include "kafka/client.hpp"

namespace sluice {
namespace {

bool is_word(std::string_view text) {
    constexpr std::string_view inside = "_.-/@:";
    const auto letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    constexpr std::array<std::string_view, 3> nulls{"null", "Null", "NULL"};
    return !text.empty() && letter(text.front()) && text.back() != ':' &&
           std::ranges::find(nulls, text) == nulls.end() && std::ranges::all_of(text, [&](char c) {
               return letter(c) || inside.find(c) != inside.npos;
           });
}

// `spelling` is taken as it is: references in it stay references.
std::string quote_spelling(std::string_view spelling) {
    if (is_word(spelling)) {
        return std::string(spelling);
    }
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : spelling) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out.push_back('\\');
            out.push_back(c);
        } else if (byte < 0x20 || byte == 0x7f) {
            out.append("\\x");
            out.push_back(digits[byte >> 4]);
            out.push_back(digits[byte & 15]);
        } else {
            out.push_back(c);
        }
    }
    return out + "\"";
}

}  // namespace

std::string yaml_text(std::string_view text) { return quote_spelling(escape_references(text)); }

std::string yaml_list(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts) {
        out.append(out.empty() ? "" : ", ").append(yaml_text(text));
    }
    return "[" + out + "]";
}

std::string yaml_column(const ColumnSource& column) {
    if (column.path.source == Source::constant) {
        return "{constant: " + yaml_text(column.path.name) + "}";
    }
    const std::string path = yaml_text(column.path.spelling);
    const std::string otherwise = column.otherwise ? ", default: " + yaml_text(*column.otherwise)
                                                   : "";
    if (column.reading.unit != TimeUnit::none) {
        const auto index = static_cast<std::size_t>(column.reading.unit) - 1;
        return "{from: " + path + ", unit: " + std::string(settings::units[index]) + otherwise +
               "}";
    }
    if (column.reading.encoding != BytesEncoding::none) {
        const auto index = static_cast<std::size_t>(column.reading.encoding) - 1;
        const auto& scale = column.reading.scale;
        return "{from: " + path + ", encoding: " + std::string(settings::encodings[index]) +
               (scale ? ", scale: " + std::to_string(*scale) : "") + otherwise + "}";
    }
    if (column.otherwise) {
        return "{from: " + path + otherwise + "}";
    }
    return path;
}

// {value.type: [a, b]}
std::string yaml_condition(const Condition& condition) {
    std::vector<std::string> terms;
    for (const auto& term : condition.terms) {
        std::vector<std::string> values;
        for (const auto& value : term.values) {
            values.push_back(yaml_text(value));
        }
        if (term.or_nothing) {
            values.emplace_back("null");
        }
        terms.push_back(yaml_text(term.path.spelling) + ": [" + join(values) + "]");
    }
    return "{" + join(terms) + "}";
}

namespace {

constexpr std::string_view not_shown = "  # given in plain text, not shown here";

std::string duration(std::int64_t ms) {
    return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

// As the user may have written it; the default and all that the reader takes are whole KiB.
std::string size(std::int64_t bytes) {
    return bytes % (1 << 20) == 0 ? std::to_string(bytes >> 20) + "MiB"
                                  : std::to_string(bytes >> 10) + "KiB";
}

// Lines `name: value` at one indentation after another.
class Printer {
public:
    void line(int depth, std::string_view name, std::string_view value) {
        out_.append(static_cast<std::size_t>(depth) * 2, ' ').append(name).append(":");
        if (!value.empty()) {
            out_.append(" ").append(value);
        }
        out_.push_back('\n');
    }
    // `name` as the first setting of a list's item.
    void item(int depth, std::string_view name, std::string_view value) {
        line(depth, "- " + std::string(name), value);
    }
    void optional(int depth, std::string_view name, const std::optional<std::string>& value) {
        if (value) {
            line(depth, name, yaml_text(*value));
        }
    }
    void raw(std::string_view text) { out_.append(text); }
    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    std::string out_;
};

std::string secret(const std::string& spelling, std::string_view variable) {
    if (!spelling.empty()) {
        return quote_spelling(spelling);
    }
    return "\"${" + std::string(variable) + "}\"" + std::string(not_shown);
}

// "sasl.password" → "SASL_PASSWORD".
std::string variable_for(std::string_view property) {
    std::string out;
    for (const char c : property) {
        const bool lower = c >= 'a' && c <= 'z';
        const bool kept = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        out.push_back(lower ? static_cast<char>(c - 'a' + 'A') : kept ? c : '_');
    }
    return out;
}

void print_kafka(const KafkaConfig& kafka, Printer& out) {
    out.line(0, "kafka", "");
    out.line(1, "brokers", yaml_list(kafka.brokers));
    if (kafka.start.given) {
        out.line(1, "start", yaml_text(kafka.start.spelling));
    }
    if (!kafka.properties.empty()) {
        out.line(1, "properties", "");
    }
    for (std::size_t i = 0; i < kafka.properties.size(); ++i) {
        const auto& [name, value] = kafka.properties[i];
        std::string spelling = i < kafka.property_spellings.size() ? kafka.property_spellings[i]
                                                                   : "";
        if (kafka::secret_property(name)) {
            // A default or a text beside the reference could be the secret itself.
            spelling = is_bare_reference(spelling) ? spelling : "";
            out.line(2, quote_spelling(name), secret(spelling, variable_for(name)));
        } else {
            out.line(2, quote_spelling(name),
                     spelling.empty() ? yaml_text(value) : quote_spelling(spelling));
        }
    }
}

void print_rate(const std::optional<int>& rows_per_s_max, Printer& out) {
    if (rows_per_s_max) {
        out.line(1, "rows_per_s_max", std::to_string(*rows_per_s_max));
    }
}

void print_postgres(const PostgresConfig& postgres, Printer& out) {
    const PostgresConfig defaults;
    out.line(0, "postgres", "");
    out.line(1, "url", yaml_text(postgres.url));
    out.optional(1, "user", postgres.user);
    if (postgres.password) {
        out.line(1, "password", secret(postgres.password->spelling, "PGPASSWORD"));
    }
    out.line(1, "pool", std::to_string(postgres.pool));
    if (postgres.schema != defaults.schema) {
        out.line(1, "schema", yaml_text(postgres.schema));
    }
    print_rate(postgres.rows_per_s_max, out);
}

void print_cassandra(const CassandraConfig& cassandra, Printer& out) {
    out.line(0, "cassandra", "");
    out.line(1, "hosts", yaml_list(cassandra.hosts));
    out.optional(1, "local_dc", cassandra.local_dc);
    out.line(1, "keyspace", yaml_text(cassandra.keyspace));
    out.line(1, "consistency", yaml_text(cassandra.consistency));
    out.optional(1, "username", cassandra.username);
    if (cassandra.password) {
        out.line(1, "password", secret(cassandra.password->spelling, "CASSANDRA_PASSWORD"));
    }
    print_rate(cassandra.rows_per_s_max, out);
}

void print_mode(const Target& target, Printer& out) {
    out.line(4, "mode", settings::modes[static_cast<std::size_t>(target.mode)]);
    if (target.each) {
        out.line(4, "each", yaml_text(target.each->spelling));
    }
    if (!is_keyed(target.mode)) {
        return;
    }
    if (!target.key.empty()) {
        out.line(4, "key", yaml_list(target.key));
    }
    if (target.mode == Mode::upsert_newer) {
        out.line(4, "version", yaml_text(target.version));
    } else {
        out.line(4, "absent", target.absent_is_null ? "null" : "keep");
    }
    if (target.mode == Mode::changes) {
        out.line(4, "truncate", settings::truncates[target.truncates ? 1 : 0]);
    }
    std::vector<std::string> deleted;
    if (target.deleted) {
        deleted.push_back("when: " + yaml_condition(*target.deleted));
    }
    if (!target.deleted_column.empty()) {
        deleted.push_back("column: " + yaml_text(target.deleted_column));
    }
    if (!deleted.empty()) {
        out.line(4, "deleted", "{" + join(deleted) + "}");
    }
    if (target.unavailable) {
        out.line(4, "unavailable", yaml_text(*target.unavailable));
    }
}

void print_targets(std::string_view name, const std::vector<TargetConfig>& targets, Printer& out) {
    if (targets.empty()) {
        return;
    }
    if (targets.size() == 1 && targets.front().target.table.empty()) {
        out.line(2, name, "true");
        return;
    }
    out.line(2, name, "");
    for (const auto& [target, tables, place, column_places] : targets) {
        if (target.table.empty()) {
            out.raw("      - true\n");
            continue;
        }
        out.item(3, "table", yaml_text(target.table));
        if (!tables.empty()) {
            out.line(4, "tables", yaml_list(tables));
        }
        print_mode(target, out);
        if (target.ttl) {
            out.line(4, "ttl", yaml_text(target.ttl->spelling));
        }
        if (target.ttl_s) {
            out.line(4, "ttl", std::to_string(*target.ttl_s) + "s");
        }
        if (target.when) {
            out.line(4, "when", yaml_condition(*target.when));
        }
        if (target.create) {
            const auto& key = target.create->partition_key;
            out.line(4, "create",
                     "{sample: " + std::to_string(target.create->sample) +
                         (key.empty() ? "" : ", partition_key: " + yaml_list(key)) + "}");
        }
        if (target.adds_columns) {
            out.line(4, "evolve", "add_columns");
        }
        if (!target.columns.empty() || target.others) {
            out.line(4, "columns", "");
        }
        for (const auto& column : target.columns) {
            out.line(5, quote_spelling(column.column), yaml_column(column));
        }
        if (target.others) {
            out.line(5, yaml_text("*"), yaml_text(target.others->spelling + ".*"));
        }
    }
}

void print_route(const RouteConfig& route, Printer& out) {
    if (!route.topic_pattern.empty()) {
        out.item(1, "topic_pattern", yaml_text(route.topic_pattern));
    } else if (route.topics.size() == 1) {
        out.item(1, "topic", yaml_text(route.topics.front()));
    } else {
        out.item(1, "topics", yaml_list(route.topics));
    }
    out.line(2, "key", settings::formats[static_cast<std::size_t>(route.key_format)]);
    out.line(2, "value", settings::formats[static_cast<std::size_t>(route.value_format)]);
    if (route.duplicate_names == DuplicateNames::last) {
        out.line(2, "duplicate_names", "last");
    }
    print_targets("postgres", route.postgres, out);
    print_targets("cassandra", route.cassandra, out);
}

}  // namespace

std::string print_config(const Config& config) {
    Printer out;
    out.line(0, "pipeline", yaml_text(config.pipeline));
    out.optional(0, "instance", config.instance);
    print_kafka(config.kafka, out);
    if (config.postgres) {
        print_postgres(*config.postgres, out);
    }
    if (config.cassandra) {
        print_cassandra(*config.cassandra, out);
    }
    if (!config.dead_letters.table.empty()) {
        out.line(0, "dead_letters", "{table: " + yaml_text(config.dead_letters.table) + "}");
    }
    if (!config.dead_letters.topic.empty()) {
        out.line(0, "dead_letters", "{topic: " + yaml_text(config.dead_letters.topic) + "}");
    }
    out.line(0, "routes", "");
    for (const auto& route : config.routes) {
        print_route(route, out);
    }
    if (config.http) {
        out.line(0, "http", "");
        out.line(1, "listen", yaml_text(config.http->listen));
    }
    const Config defaults;
    if (config.start_timeout_ms != defaults.start_timeout_ms) {
        out.line(0, "start_timeout", duration(config.start_timeout_ms));
    }
    if (config.drain_timeout_ms != defaults.drain_timeout_ms) {
        out.line(0, "drain_timeout", duration(config.drain_timeout_ms));
    }
    if (config.memory != defaults.memory) {
        out.line(0, "memory", size(config.memory));
    }
    return out.take();
}

}  // namespace sluice
