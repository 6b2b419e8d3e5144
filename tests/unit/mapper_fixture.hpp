// A record by way of decode and map, and what comes out as text.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "decode/decode.hpp"
#include "map/mapper.hpp"
#include "map/path.hpp"

namespace sluice::test {

using Formats = std::pair<Format, Format>;  // Of key and value.
inline constexpr Formats string_json{Format::string, Format::json};
inline constexpr Formats json_json{Format::json, Format::json};
inline constexpr Formats connect{Format::connect_json, Format::connect_json};

inline std::string show(const Cell& cell) {
    switch (cell.kind) {
        case CellKind::absent:
            return "absent";
        case CellKind::null:
            return "null";
        case CellKind::boolean:
            return cell.boolean ? "true" : "false";
        case CellKind::number:
            return "number " + std::string(cell.text);
        case CellKind::string:
            return "string " + std::string(cell.text);
        case CellKind::json:
            return "json " + std::string(cell.raw);
        case CellKind::text:
            return "text " + std::string(cell.text);
        case CellKind::bytes:
            return "bytes " + std::to_string(cell.text.size());
        case CellKind::integer:
            return "integer " + std::to_string(cell.integer);
        case CellKind::time_ms:
            return "time_ms " + std::to_string(cell.integer);
        case CellKind::uuid:
            return "uuid " + cell.uuid.to_string();
    }
    return "?";
}

class MapperTest : public ::testing::Test {
protected:
    MapperTest() {
        record_.partition = &partition_;
        record_.offset = Offset{120};
        record_.timestamp_ms = 1517363399650;
    }

    void decode(std::optional<std::string_view> key, std::optional<std::string_view> value,
                Formats formats) {
        record_.key = key;
        record_.value = value;
        const auto decoded = decoder_.decode(record_, formats.first, formats.second,
                                             DuplicateNames::last, event_);
        ASSERT_TRUE(decoded) << decoded.error().message();
    }
    Cell at(std::string_view path) { return resolve(parse_path(path).value(), event_, topic_id_); }
    std::string shown(std::string_view path) { return show(at(path)); }

    // A mapper with columns given as "name=path".
    Mapper& mapper(Mode mode, std::initializer_list<std::string_view> columns,
                   std::vector<std::string> key = {}, Formats formats = string_json) {
        routes_.push_back(route(mode, columns, std::move(key), formats));
        mappers_.push_back(Mapper::create(routes_.back(), 0).value());
        return mappers_.back();
    }
    static Route route(Mode mode, std::initializer_list<std::string_view> columns,
                       std::vector<std::string> key, Formats formats) {
        Route out;
        out.key_format = formats.first;
        out.value_format = formats.second;
        Target& target = out.targets.emplace_back();
        target.table = "public.orders";
        target.mode = mode;
        target.key = std::move(key);
        for (const auto column : columns) {
            const auto equals = column.find('=');
            target.columns.push_back({std::string(column.substr(0, equals)),
                                      parse_path(column.substr(equals + 1)).value(),
                                      {}});
        }
        return out;
    }
    std::string map(Mapper& mapper) {
        const auto rows = mapper.map(event_, topic_id_);
        if (!rows) {
            EXPECT_EQ(rows.error().action, Action::reject);
            return "error: " + rows.error().where + ": " + rows.error().detail;
        }
        std::string out;
        for (const Row& row : *rows) {
            out += out.empty() ? "" : "; ";
            out += row.op == RowOp::put ? "put" : row.op == RowOp::del ? "del" : "truncate";
            for (const Cell& cell : row.cells) {
                out += " | " + show(cell);
            }
        }
        return out;
    }

    TopicPartition partition_{"orders", PartitionId{3}};
    Uuid topic_id_ = *parse_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    Record record_;
    Decoder decoder_;
    Event event_;
    std::deque<Route> routes_;
    std::deque<Mapper> mappers_;
};

}  // namespace sluice::test
