#include "app/init.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "app/print_config.hpp"
#include "app/profile.hpp"
#include "app/propose.hpp"
#include "app/sampler.hpp"
#include "app/settings.hpp"
#include "decode/decode.hpp"
#include "map/sample.hpp"
#include "sinks/cassandra/definition.hpp"
#include "sinks/postgres/definition.hpp"

namespace sluice {
namespace {

constexpr Bytes kept_max{64u << 20};
constexpr std::size_t comment_column = 34;
constexpr std::size_t line_max = 116;

// Lines of YAML, each with the reason for it.
class Proposed {
public:
    void line(std::size_t depth, std::string text, std::string_view why = {}) {
        text.insert(0, 2 * depth, ' ');
        if (!why.empty()) {
            text.append(text.size() < comment_column ? comment_column - text.size() : 2, ' ');
            text.append("# ").append(why);
        }
        out_ += text + "\n";
    }
    // A comment, in as many lines as it needs.
    void note(std::size_t depth, std::string_view text) {
        const std::string begin = std::string(2 * depth, ' ') + "#   ";
        while (!text.empty()) {
            std::size_t length = text.size();
            if (begin.size() + length > line_max) {
                length = text.rfind(' ', line_max - begin.size());
                length = length == std::string_view::npos ? text.size() : length;
            }
            out_ += begin + std::string(text.substr(0, length)) + "\n";
            text.remove_prefix(std::min(length + 1, text.size()));
        }
    }
    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    std::string out_;
};

Result<std::vector<KeptRecord>> keep_sample(const KafkaConfig& kafka, const std::string& topic,
                                            std::size_t count) {
    std::vector<KeptRecord> kept;
    std::size_t bytes = 0;
    SLUICE_TRY(read_sample(kafka, topic, count, [&](const Record& record) {
        const auto copy = [&](const std::optional<std::string_view>& text) {
            bytes += text.value_or("").size();
            return text ? std::optional<std::string>(*text) : std::nullopt;
        };
        kept.push_back(
            {.offset = record.offset, .key = copy(record.key), .value = copy(record.value)});
        return bytes < kept_max.value();
    }));
    if (kept.empty()) {
        return fail({.action = Action::configure,
                     .op = "kafka.sample",
                     .where = "topic '" + topic + "'",
                     .code = {},
                     .detail = "it has no records to look at",
                     .hint = "come back when there are some"});
    }
    return kept;
}

TableShape shape_of(const Target& target, const ProposedFormats& formats,
                    std::span<const KeptRecord> records) {
    TableSample sample(target);
    Decoder decoder;
    Event event;
    for (const auto& kept : records) {
        const Record record = kept.view();
        if (decoder.decode(record, formats.key, formats.value, DuplicateNames::last, event)) {
            sample.add(event);
        }
    }
    return sample.shape();
}

Result<std::string> definition_of(const Config& config, const Target& target,
                                  const TableShape& shape, Database database) {
    return database == Database::postgres
               ? postgres::table_definition({.schema = "public", .table = target.table}, shape)
               : cassandra::table_definition(
                     {.keyspace = config.cassandra->keyspace, .table = target.table}, shape, {});
}

void print_columns(const ProposedTarget& proposed, const TableShape& shape, Database database,
                   Proposed& out) {
    if (proposed.target.columns.empty()) {
        return;
    }
    out.line(3, "columns:");
    for (std::size_t i = 0; i < proposed.target.columns.size(); ++i) {
        const ColumnSource& column = proposed.target.columns[i];
        const auto found = std::ranges::find(shape.columns, column.column, &ColumnShape::name);
        std::string why = database == Database::postgres ? postgres::column_type(found->shape)
                                                         : cassandra::column_type(found->shape);
        why += found->shape.kind == ShapeKind::nothing ? " (no value was seen)" : "";
        why += proposed.column_whys[i].empty() ? "" : "; " + proposed.column_whys[i];
        out.line(4, yaml_text(column.column) + ": " + yaml_column(column), why);
    }
}

void print_target(const Config& config, const ProposedTarget& proposed,
                  const ProposedFormats& formats, std::span<const KeptRecord> records,
                  Database database, Proposed& out) {
    const Target& target = proposed.target;
    const std::string name = database == Database::postgres ? "postgres" : "cassandra";
    if (target.table.empty()) {
        out.line(2, name + ": true", "the table events, which run makes: a row for each record");
        return;
    }
    const TableShape shape = shape_of(target, formats, records);
    out.line(2, name + ":");
    out.line(3, "table: " + yaml_text(target.table), proposed.table_why);
    out.line(3, "mode: " + std::string(settings::modes[static_cast<std::size_t>(target.mode)]),
             proposed.mode_why);
    if (!target.key.empty()) {
        out.line(3, "key: " + yaml_list(target.key), proposed.key_why);
    }
    if (target.deleted) {
        out.line(3, "deleted: {when: " + yaml_condition(*target.deleted) + "}",
                 proposed.deleted_why);
    }
    const auto definition = definition_of(config, target, shape, database);
    if (definition) {
        out.line(3, "create: true", "run makes the table, if it is not there:");
        out.note(3, *definition);
    } else {
        out.line(3, "# create: true", "run can't make it: " + definition.error().detail);
    }
    const bool schemas = std::ranges::any_of(shape.columns, &ColumnShape::from_schema);
    if (schemas && target.columns.empty()) {
        out.line(3, "# evolve: add_columns", "to follow fields that come later");
    }
    print_columns(proposed, shape, database, out);
}

Result<void> print_route(const Config& config, const std::string& topic, std::size_t count,
                         Proposed& out) {
    SLUICE_ASSIGN(const auto records, keep_sample(config.kafka, topic, count));
    const TopicProfile profile = profile_of(records);
    const ProposedFormats formats = propose_formats(profile);
    out.line(1, fmt::format(
                    "# {} records were looked at, old and new ones: {} with a key, {} tombstones",
                    profile.records, profile.keys, profile.tombstones));
    out.line(1, "- topic: " + yaml_text(topic));
    out.line(2, "key: " + std::string(settings::formats[static_cast<std::size_t>(formats.key)]),
             formats.key_why);
    out.line(2, "value: " + std::string(settings::formats[static_cast<std::size_t>(formats.value)]),
             formats.value_why);
    for (const auto database : {Database::postgres, Database::cassandra}) {
        const bool wanted = database == Database::postgres ? config.postgres.has_value()
                                                           : config.cassandra.has_value();
        if (wanted) {
            print_target(config, propose_target(profile, topic, formats, database), formats,
                         records, database, out);
        }
    }
    return {};
}

Result<std::string> proposal(const InitOptions& options) {
    Proposed out;
    out.line(
        0,
        "# Proposed by `sluice init`: what stands behind a # is why. Change what is wrong; then");
    out.line(0, "# `sluice check --sample 1000 -c FILE` tells what would become of records, and "
                "writes nothing.");
    Config head = options.config;
    head.routes.clear();
    const std::string sections = print_config(head);
    constexpr std::string_view routes = "\nroutes:\n";
    const auto at = sections.find(routes);
    out.line(0, sections.substr(0, at));
    out.line(0, "# dead_letters: {table: dead_letters}",
             "keeps records that don't fit; without it they stop their partition");
    out.line(0, "routes:");
    for (const auto& topic : options.config.routes.front().topics) {
        SLUICE_TRY(print_route(options.config, topic, options.sample, out));
    }
    return out.take() + sections.substr(at + routes.size());
}

}  // namespace

int init(const InitOptions& options) {
    const auto text = proposal(options);
    if (!text) {
        make_logger("init")->error("{}", text.error().message());
        return 3;
    }
    std::fputs(text->c_str(), stdout);
    return 0;
}

}  // namespace sluice
