#include "sinks/cassandra/definition.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <vector>

#include "base/text.hpp"
#include "sinks/cassandra/session.hpp"
#include "sinks/definition.hpp"

namespace sluice::cassandra {
namespace {

std::string_view data_type(Format format) { return format == Format::bytes ? "blob" : "text"; }

std::string quoted(const TableName& name) {
    return quote_identifier(name.keyspace) + "." + quote_identifier(name.table);
}

// Both in buckets of offsets, so that none of their partitions grows without a bound.
constexpr auto bucket_key = "PRIMARY KEY ((kafka_topic, kafka_partition, bucket), kafka_offset)";

std::string_view scalar_type(const Shape& shape) {
    switch (shape.kind) {
        case ShapeKind::boolean:
            return "boolean";
        case ShapeKind::int16:
            return "smallint";
        case ShapeKind::int32:
            return "int";
        case ShapeKind::int64:
            return "bigint";
        case ShapeKind::integer:
            return "varint";
        case ShapeKind::float32:
            return "float";
        case ShapeKind::float64:
            return "double";
        case ShapeKind::decimal:
            return "decimal";
        case ShapeKind::bytes:
            return "blob";
        case ShapeKind::uuid:
            return "uuid";
        case ShapeKind::date:
            return "date";
        case ShapeKind::time:
            return "time";
        case ShapeKind::timestamp:
        case ShapeKind::instant:
            if (shape.finest == TimeUnit::micros || shape.finest == TimeUnit::nanos) {
                return shape.is_number ? "bigint" : "text";
            }
            return "timestamp";
        case ShapeKind::interval:
            return "duration";
        case ShapeKind::nothing:
        case ShapeKind::text:
        case ShapeKind::json:
        case ShapeKind::time_with_zone:
        case ShapeKind::bits:
        case ShapeKind::point:
            break;
    }
    return "text";
}

}  // namespace

std::optional<std::string> refused_name(std::string_view name) {
    constexpr std::size_t bytes_max = 48;
    const bool fits = !name.empty() && name.size() <= bytes_max &&
                      std::ranges::all_of(name, [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                 (c >= '0' && c <= '9') || c == '_';
                      });
    if (fits) {
        return std::nullopt;
    }
    return "Cassandra allows letters, digits and _, at most 48 bytes";
}

std::string column_type(const Shape& shape) {
    const std::string type(scalar_type(shape));
    return shape.array ? "frozen<list<" + type + ">>" : type;
}

std::string events_definition(const TableName& name, const Route& route) {
    return fmt::format(
        "CREATE TABLE IF NOT EXISTS {} (kafka_topic text, kafka_partition int, bucket bigint, "
        "kafka_offset bigint, key {}, timestamp timestamp, data {}, {})",
        quoted(name), data_type(route.key_format), data_type(route.value_format), bucket_key);
}

std::string dead_letters_definition(const TableName& name) {
    return fmt::format(
        "CREATE TABLE IF NOT EXISTS {} (kafka_topic text, kafka_partition int, bucket bigint, "
        "kafka_offset bigint, timestamp timestamp, key blob, value blob, headers text, reason "
        "text, error text, {})",
        quoted(name), bucket_key);
}

Result<std::string> table_definition(const TableName& name, const TableShape& shape,
                                     std::span<const std::string> partition_key) {
    SLUICE_TRY(check_definable("cassandra.table", name.table, shape, refused_name));
    if (shape.key.empty()) {
        return fail({.action = Action::configure,
                     .op = "cassandra.table",
                     .where = {},
                     .code = {},
                     .detail = "table '" + name.table + "' can't be made: it has no primary key",
                     .hint = "use mode: upsert with a key, or leave the table out for events"});
    }
    std::vector<std::string> parts;
    for (const auto& column : shape.columns) {
        parts.push_back(quote_identifier(column.name) + " " + column_type(column.shape));
    }
    std::vector<std::string> whole;
    std::vector<std::string> clustering;
    for (const auto& column : shape.key) {
        const bool in_partition = partition_key.empty() ||
                                  std::ranges::find(partition_key, column) != partition_key.end();
        (in_partition ? whole : clustering).push_back(quote_identifier(column));
    }
    parts.push_back("PRIMARY KEY ((" + join(whole) + ")" + (clustering.empty() ? "" : ", ") +
                    join(clustering) + ")");
    return fmt::format("CREATE TABLE IF NOT EXISTS {} ({})", quoted(name), join(parts));
}

Result<std::string> column_definition(const TableName& name, const ColumnShape& column) {
    SLUICE_TRY(check_names("cassandra.table", name.table, {&column, 1}, refused_name));
    return fmt::format("ALTER TABLE {} ADD {} {}", quoted(name), quote_identifier(column.name),
                       column_type(column.shape));
}

}  // namespace sluice::cassandra
