// A table, a plan and records without a server, for the tests of sinks/cassandra.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "sinks/cassandra/chunk.hpp"
#include "sinks/cassandra/plan.hpp"

namespace sluice::cassandra {

inline Column make_column(std::string name, std::string type, ColumnKind kind = ColumnKind::regular,
                          std::int32_t position = -1) {
    Column column{.name = std::move(name),
                  .type_name = std::move(type),
                  .type = {},
                  .kind = kind,
                  .position = position};
    set_type(column);
    return column;
}

// PRIMARY KEY ((id), n), v text, s text static.
inline Table make_table() {
    return {.keyspace = "shop",
            .name = "orders",
            .columns = {make_column("id", "text", ColumnKind::partition_key, 0),
                        make_column("n", "int", ColumnKind::clustering, 0),
                        make_column("s", "text", ColumnKind::static_column),
                        make_column("v", "text")}};
}

inline Table make_events_table() {
    return {.keyspace = "shop",
            .name = "events",
            .columns = {make_column("kafka_topic", "text", ColumnKind::partition_key, 0),
                        make_column("kafka_partition", "int", ColumnKind::partition_key, 1),
                        make_column("bucket", "bigint", ColumnKind::partition_key, 2),
                        make_column("kafka_offset", "bigint", ColumnKind::clustering, 0),
                        make_column("data", "text"), make_column("key", "text"),
                        make_column("timestamp", "timestamp")}};
}

inline Target upsert_target() {
    Target target;
    target.table = "orders";
    target.mode = Mode::upsert;
    target.key = {"id", "n"};
    return target;
}

inline Cell text_cell(std::string_view text) {
    Cell cell;
    cell.kind = CellKind::text;
    cell.text = text;
    return cell;
}
inline Cell integer_cell(std::int64_t value) {
    Cell cell;
    cell.kind = CellKind::integer;
    cell.integer = value;
    return cell;
}

inline const TopicPartition& partition_of(std::int32_t number) {
    static std::deque<TopicPartition> all;
    while (all.size() <= static_cast<std::size_t>(number)) {
        all.push_back({"t", PartitionId{static_cast<std::int32_t>(all.size())}});
    }
    return all[static_cast<std::size_t>(number)];
}

inline Record record_of(std::int32_t partition, std::int64_t offset) {
    Record record;
    record.partition = &partition_of(partition);
    record.offset = Offset{offset};
    return record;
}

}  // namespace sluice::cassandra
