// A model of Cassandra: rows of cells, of which the newest timestamp counts. It is asked in CQL,
// through the driver's C interface; a statement that it does not know fails the history.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kafka/consumer.hpp"
#include "simulator/log.hpp"
#include "simulator/sql.hpp"
#include "simulator/world.hpp"

namespace sluice::sim {

struct CqlColumn {
    std::string name;
    std::string type;
    std::string kind;  // As system_schema has it.
    std::int32_t position = -1;
};

// A prepared INSERT or DELETE.
struct CqlStatement {
    std::string table;
    std::vector<std::string> columns;  // As the markers come, without the timestamp's.
    bool remove = false;
    bool timestamped = true;
};

// The cells of one statement, by column. Nothing: unset.
using CqlCell = std::optional<std::optional<std::string>>;
struct CqlWrite {
    const CqlStatement* statement = nullptr;
    std::vector<CqlCell> cells;
    std::optional<std::int64_t> timestamp;  // Nothing: the server's clock.
};

struct CqlResult {
    std::vector<std::string> columns;
    std::vector<std::vector<std::optional<std::string>>> rows;
};

class Cassandra {
public:
    Cassandra(World& shared, const Log& log) : world_(shared), log_(log) {}

    [[nodiscard]] CqlStatement prepare(std::string_view cql);
    [[nodiscard]] CqlResult query(std::string_view cql);
    void write(const std::vector<CqlWrite>& writes);

    // Whether a record may have another write time in a replay.
    bool times_change = false;

    // Who wrote the delete of this key at this timestamp: told when the lane hands it over.
    void expect_delete(const std::string& key, std::int64_t timestamp, std::int32_t partition,
                       std::int64_t offset);
    // Whether the table of upserts ever had a row of this key.
    [[nodiscard]] bool wrote(const std::string& key) const;
    // Of a commit: every record before it is in the tables, or newer ones of its key are.
    void check_durable(const kafka::Commit& commit);
    // At the end of a history: what one pass over the log gives.
    void check_all();
    [[nodiscard]] std::string dump() const;

private:
    struct Cell {
        std::int64_t timestamp = 0;
        std::optional<std::string> value;  // Nothing: a null was written.
    };
    struct Row {
        std::optional<std::int64_t> deleted;   // The newest delete.
        std::optional<std::int64_t> inserted;  // The newest insert: the row's own marker.
        std::map<std::string, Cell> cells;
        // Which records have written to it, and when.
        std::map<std::pair<std::int32_t, std::int64_t>, std::int64_t> written;

        [[nodiscard]] const std::string* live(const std::string& column) const;
        [[nodiscard]] bool exists() const;
    };
    using Table = std::map<std::string, Row>;  // By the bytes of the primary key.

    void note_written(Row& row, std::pair<std::int32_t, std::int64_t> record,
                      std::int64_t timestamp);
    static void put(Row& row, const CqlWrite& write, std::int64_t timestamp);
    [[nodiscard]] CqlResult select_progress(const Sentence& sentence) const;
    [[nodiscard]] State state() const;

    World& world_;
    const Log& log_;
    std::map<std::string, Table> tables_;
    std::map<std::pair<std::string, std::int64_t>, std::pair<std::int32_t, std::int64_t>> deletes_;
    std::map<std::int32_t, std::int64_t> checked_;  // By partition: durable up to here.
};

// The columns of a table; empty if there is none.
const std::vector<CqlColumn>& cql_columns(std::string_view table);

}  // namespace sluice::sim
