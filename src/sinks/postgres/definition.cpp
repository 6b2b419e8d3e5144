#include "sinks/postgres/definition.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <vector>

#include "base/text.hpp"
#include "sinks/definition.hpp"
#include "sinks/postgres/connection.hpp"

namespace sluice::postgres {
namespace {

std::string_view data_type(Format format) {
    switch (format) {
        case Format::json:
        case Format::connect_json:
            return "jsonb";
        case Format::string:
            return "text";
        case Format::bytes:
            return "bytea";
    }
    return "bytea";
}

std::string_view scalar_type(const Shape& shape) {
    // Times of PostgreSQL have microseconds.
    const bool too_fine = shape.finest == TimeUnit::nanos;
    switch (shape.kind) {
        case ShapeKind::boolean:
            return "boolean";
        case ShapeKind::int16:
            return "smallint";
        case ShapeKind::int32:
            return "integer";
        case ShapeKind::int64:
            return "bigint";
        case ShapeKind::float32:
            return "real";
        case ShapeKind::float64:
            return "double precision";
        case ShapeKind::integer:
        case ShapeKind::decimal:
            return "numeric";
        case ShapeKind::json:
            return "jsonb";
        case ShapeKind::bytes:
            return "bytea";
        case ShapeKind::uuid:
            return "uuid";
        case ShapeKind::date:
            return "date";
        case ShapeKind::time:
            return too_fine ? "bigint" : "time";
        case ShapeKind::time_with_zone:
            return "timetz";
        case ShapeKind::timestamp:
            return too_fine ? "bigint" : "timestamp";
        case ShapeKind::instant:
            return too_fine ? "bigint" : "timestamptz";
        case ShapeKind::interval:
            return "interval";
        case ShapeKind::bits:
            return "bit varying";
        case ShapeKind::point:
            return "point";
        case ShapeKind::nothing:
        case ShapeKind::text:
            break;
    }
    return "text";
}

std::string column_definition(const ColumnShape& column) {
    return quote_identifier(column.name) + " " + column_type(column.shape);
}

}  // namespace

std::optional<std::string> refused_name(std::string_view name) {
    const bool printable = std::ranges::none_of(
        name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (name.empty() || name.size() > name_bytes_max || !printable) {
        return "PostgreSQL allows 1 to 63 bytes, and no control characters here";
    }
    return std::nullopt;
}

std::string column_type(const Shape& shape) {
    return std::string(scalar_type(shape)) + (shape.array ? "[]" : "");
}

std::string events_definition(const TableName& name, const Route& route) {
    return fmt::format(
        "CREATE TABLE IF NOT EXISTS {} (kafka_topic text NOT NULL, kafka_partition integer NOT "
        "NULL, kafka_offset bigint NOT NULL, key {}, timestamp timestamptz, data {})",
        name.quoted(), data_type(route.key_format), data_type(route.value_format));
}

// json, not jsonb: a header may hold what jsonb can't.
std::string dead_letters_definition(const TableName& name) {
    return fmt::format(
        "CREATE TABLE IF NOT EXISTS {} (kafka_topic text NOT NULL, kafka_partition integer NOT "
        "NULL, kafka_offset bigint NOT NULL, timestamp timestamptz, key bytea, value bytea, "
        "headers json, reason text NOT NULL, error text NOT NULL, "
        "written_at timestamptz NOT NULL DEFAULT now())",
        name.quoted());
}

Result<std::string> table_definition(const TableName& name, const TableShape& shape) {
    SLUICE_TRY(check_definable("postgres.table", name.table, shape, refused_name));
    std::vector<std::string> parts;
    std::ranges::transform(shape.columns, std::back_inserter(parts), column_definition);
    if (!shape.key.empty()) {
        std::vector<std::string> key;
        std::ranges::transform(shape.key, std::back_inserter(key), quote_identifier);
        parts.push_back("PRIMARY KEY (" + join(key) + ")");
    }
    return fmt::format("CREATE TABLE IF NOT EXISTS {} ({})", name.quoted(), join(parts));
}

Result<std::string> columns_definition(const TableName& name,
                                       std::span<const ColumnShape> columns) {
    SLUICE_TRY(check_names("postgres.table", name.table, columns, refused_name));
    std::vector<std::string> parts;
    for (const auto& column : columns) {
        parts.push_back("ADD COLUMN IF NOT EXISTS " + column_definition(column));
    }
    return fmt::format("ALTER TABLE {} {}", name.quoted(), join(parts));
}

}  // namespace sluice::postgres
