#include "sinks/postgres/replayed.hpp"

#include <spdlog/fmt/fmt.h>

namespace sluice::postgres {

ReplayedTable::ReplayedTable(const std::string& schema, std::string pipeline)
    : table_(quote_identifier(schema) + ".replayed"), pipeline_(std::move(pipeline)) {}

Outcome<bool> ReplayedTable::exists(Connection& connection, Deadline deadline) const {
    auto found = connection.script("SELECT to_regclass(" + quote_literal(table_) + ") IS NOT NULL",
                                   deadline);
    return found.map([](const std::vector<Rows>& rows) { return rows.back().boolean(0, 0); });
}

// What exists is left alone: CREATE … IF NOT EXISTS asks for the privilege all the same.
Outcome<void> ReplayedTable::prepare(Connection& connection, Deadline deadline) const {
    auto there = exists(connection, deadline);
    if (!there || *there) {
        return there.map([](bool) {});
    }
    const auto definition = fmt::format(
        "CREATE TABLE IF NOT EXISTS {} (pipeline text NOT NULL, topic text NOT NULL, "
        "partition integer NOT NULL, record_offset bigint NOT NULL, timestamp_ms bigint NOT NULL, "
        "replayed_at timestamptz NOT NULL DEFAULT now(), "
        "PRIMARY KEY (pipeline, topic, partition, record_offset, timestamp_ms))",
        table_);
    auto created = connection.script(definition, deadline);
    if (!created) {  // Another process may have been first.
        auto made = exists(connection, deadline);
        if (made && *made) {
            return {};
        }
    }
    if (!created && created.error().error.code == "42501") {
        created.error().error.hint = "have this run by a role that may: " + definition +
                                     "; and GRANT SELECT, INSERT, DELETE ON it";
    }
    return created.map([](const std::vector<Rows>&) {});
}

std::string ReplayedTable::take(const LetterInfo& letter) const {
    return fmt::format("INSERT INTO {} (pipeline, topic, partition, record_offset, timestamp_ms) "
                       "VALUES ({}, {}, {}, {}, {}) ON CONFLICT DO NOTHING; ",
                       table_, quote_literal(pipeline_), quote_literal(letter.key.partition.topic),
                       letter.key.partition.partition.value(), letter.key.offset.value(),
                       letter.timestamp_ms.value_or(-1));
}

Outcome<std::string> ReplayedTable::forget(Connection& connection, const std::string& condition,
                                           Deadline deadline) const {
    return exists(connection, deadline).map([&](bool there) {
        return there ? "DELETE FROM " + table_ + " WHERE " + condition + "; " : std::string{};
    });
}

}  // namespace sluice::postgres
