#include "simulator/cassandra.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace sluice::sim {
namespace {

template <class Integer>
std::string bytes_of(Integer value) {
    std::string out(sizeof(Integer), '\0');
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
        out[sizeof(Integer) - 1 - i] = static_cast<char>(static_cast<std::uint64_t>(value) >>
                                                         8 * i);
    }
    return out;
}

std::int64_t integer(const std::string& bytes) {
    std::int64_t out = 0;
    for (const char byte : bytes) {
        out = out << 8 | static_cast<unsigned char>(byte);
    }
    return out;
}

std::string shown(const StateRow& row) {
    return fmt::format("({}, {}, {}[{}])", row.a.value_or("null"), row.b.value_or("null"),
                       row.partition, row.offset);
}

}  // namespace

const std::vector<CqlColumn>& cql_columns(std::string_view table) {
    static const std::map<std::string, std::vector<CqlColumn>, std::less<>> tables{
        {"state",
         {{"k", "text", "partition_key", 0},
          {"a", "text", "regular"},
          {"b", "text", "regular"},
          {"p", "int", "regular"},
          {"o", "bigint", "regular"}}},
        {"journal",
         {{"p", "int", "partition_key", 0},
          {"o", "bigint", "clustering", 0},
          {"k", "text", "regular"}}},
        {"dead",
         {{"kafka_topic", "text", "partition_key", 0},
          {"kafka_partition", "int", "partition_key", 1},
          {"bucket", "bigint", "partition_key", 2},
          {"kafka_offset", "bigint", "clustering", 0},
          {"timestamp", "timestamp", "regular"},
          {"key", "blob", "regular"},
          {"value", "blob", "regular"},
          {"headers", "text", "regular"},
          {"reason", "text", "regular"},
          {"error", "text", "regular"}}},
        {"sluice_progress",
         {{"pipeline", "text", "partition_key", 0},
          {"topic", "text", "partition_key", 1},
          {"partition", "int", "clustering", 0},
          {"next_offset", "bigint", "regular"},
          {"clock", "bigint", "regular"},
          {"topic_id", "uuid", "regular"},
          {"start", "text", "regular"}}},
        {"sluice_identity",
         {{"only", "text", "partition_key", 0},
          {"id", "uuid", "regular"},
          {"schema_version", "int", "regular"}}},
    };
    static const std::vector<CqlColumn> none;
    const auto found = tables.find(table);
    return found == tables.end() ? none : found->second;
}

const std::string* Cassandra::Row::live(const std::string& column) const {
    const auto cell = cells.find(column);
    const bool there = cell != cells.end() && cell->second.value &&
                       (!deleted || cell->second.timestamp > *deleted);
    return there ? &*cell->second.value : nullptr;
}

bool Cassandra::Row::exists() const {
    if (inserted && (!deleted || *inserted > *deleted)) {
        return true;
    }
    return std::ranges::any_of(cells, [&](const auto& cell) { return live(cell.first); });
}

CqlStatement Cassandra::prepare(std::string_view cql) {
    const Sentence sentence = parse(cql).front();
    CqlStatement statement;
    statement.remove = starts(sentence, {"DELETE"});
    statement.timestamped = has(sentence, {"USING", "TIMESTAMP", "?"});
    const auto into = find(sentence, {statement.remove ? "FROM" : "INTO"}) + 1;
    const bool qualified = sentence[into + 1].text == ".";
    statement.table = sentence[into + (qualified ? 2 : 0)].text;
    if (statement.remove) {
        for (auto at = find(sentence, {"WHERE"}) + 1; at + 2 < sentence.size(); at += 4) {
            statement.columns.push_back(sentence[at].text);
        }
    } else {
        statement.columns = list_after(sentence, into);
    }
    if (cql_columns(statement.table).empty()) {
        world_.fail("the model of Cassandra does not know this statement: " + std::string(cql));
    }
    return statement;
}

void Cassandra::put(Row& row, const CqlWrite& write, std::int64_t timestamp) {
    row.inserted = std::max(row.inserted.value_or(timestamp), timestamp);
    for (std::size_t i = 0; i < write.cells.size(); ++i) {
        if (!write.cells[i]) {
            continue;
        }
        const auto& value = *write.cells[i];
        const auto [entry, fresh] = row.cells.try_emplace(write.statement->columns[i],
                                                          Cell{timestamp, value});
        Cell& cell = entry->second;
        // Of one timestamp a null counts, else the larger value.
        const bool newer = timestamp > cell.timestamp ||
                           (timestamp == cell.timestamp && cell.value &&
                            (!value || *value > *cell.value));
        if (!fresh && newer) {
            cell = {timestamp, value};
        }
    }
}

void Cassandra::write(const std::vector<CqlWrite>& writes) {
    for (const auto& write : writes) {
        const CqlStatement& statement = *write.statement;
        // Whoever leaves the timestamp to the server gets the server's clock.
        const std::int64_t timestamp = write.timestamp.value_or(
            1'700'000'000'000'000 + std::chrono::duration_cast<std::chrono::microseconds>(
                                        world_.scheduler.now().time_since_epoch())
                                        .count());
        std::string key;
        const auto cell_of = [&](std::string_view column) {
            const auto at = std::ranges::find(statement.columns, column);
            sluice::check(at != statement.columns.end(), "a write has its key");
            return **write.cells[static_cast<std::size_t>(at - statement.columns.begin())];
        };
        for (const auto& column : cql_columns(statement.table)) {
            if (column.kind != "regular") {
                key += cell_of(column.name) + '\0';
            }
        }
        Row& row = tables_[statement.table][key];
        if (statement.remove) {
            row.deleted = std::max(row.deleted.value_or(timestamp), timestamp);
            if (const auto by = deletes_.find({cell_of("k"), timestamp}); by != deletes_.end()) {
                note_written(row, by->second, timestamp);
            }
            world_.tell("cassandra: delete {} at {}", cell_of("k"), timestamp);
            continue;
        }
        put(row, write, timestamp);
        if (statement.table == "state" || statement.table == "journal") {
            const auto partition = static_cast<std::int32_t>(integer(cell_of("p")));
            note_written(row, {partition, integer(cell_of("o"))}, timestamp);
            world_.tell("cassandra: {} {} of {}[{}] at {}", statement.table, cell_of("k"),
                        partition, integer(cell_of("o")), timestamp);
        }
    }
}

// A reader sees no row go back: whoever writes a record again does so at its time.
void Cassandra::note_written(Row& row, std::pair<std::int32_t, std::int64_t> record,
                             std::int64_t timestamp) {
    const auto [known, fresh] = row.written.emplace(record, timestamp);
    if (!fresh && known->second != timestamp && !times_change) {
        world_.fail(
            fmt::format("cassandra: record {} of partition {} is written at {}, and was at {}",
                        record.second, record.first, timestamp, known->second));
    }
}

void Cassandra::expect_delete(const std::string& key, std::int64_t timestamp,
                              std::int32_t partition, std::int64_t offset) {
    deletes_[{key, timestamp}] = {partition, offset};
}

bool Cassandra::wrote(const std::string& key) const {
    const auto table = tables_.find("state");
    return table != tables_.end() && table->second.contains(key + '\0');
}

// Only records that no commit before this one stood behind: what was durable once stays so.
void Cassandra::check_durable(const kafka::Commit& commit) {
    const std::int32_t p = commit.partition.partition.value();
    std::int64_t& checked = checked_[p];
    const auto& partition = log_.partitions[static_cast<std::size_t>(p)];
    for (auto at = partition.find(checked);
         at < partition.records.size() && partition.records[at].offset < commit.next.value();
         ++at) {
        const Produced& record = partition.records[at];
        bool there = record.gone;
        if (record.bad) {
            const auto key = std::string(topic_name) + '\0' + bytes_of(p) + '\0' +
                             bytes_of(record.offset / 4096) + '\0' + bytes_of(record.offset) + '\0';
            there = tables_["dead"].contains(key);
        } else {
            there = there ||
                    tables_["state"][record.key + '\0'].written.contains({p, record.offset});
        }
        if (!there) {
            world_.fail(fmt::format("kafka: the commit {} passes record {}, which is not written",
                                    commit.partition.at(commit.next), record.offset));
        }
    }
    checked = std::max(checked, commit.next.value());
}

State Cassandra::state() const {
    State state;
    const auto table = tables_.find("state");
    if (table == tables_.end()) {
        return state;
    }
    for (const auto& [bytes, row] : table->second) {
        if (!row.exists()) {
            continue;
        }
        StateRow& out = state[bytes.substr(0, bytes.size() - 1)];
        if (const auto* a = row.live("a")) {
            out.a = *a;
        }
        if (const auto* b = row.live("b")) {
            out.b = *b;
        }
        const auto* p = row.live("p");
        const auto* o = row.live("o");
        out.partition = p == nullptr ? -1 : static_cast<std::int32_t>(integer(*p));
        out.offset = o == nullptr ? -1 : integer(*o);
    }
    return state;
}

void Cassandra::check_all() {
    if (state() != fold(log_)) {
        world_.fail("cassandra: the table is not what one pass over the topic gives\n" + dump());
    }
    for (std::int32_t p = 0; p < static_cast<std::int32_t>(log_.partitions.size()); ++p) {
        const auto& records = log_.partitions[static_cast<std::size_t>(p)].records;
        if (!records.empty()) {
            check_durable({.partition = {topic_name, PartitionId{p}},
                           .next = Offset{records.back().offset + 1},
                           .metadata = {}});
        }
    }
}

std::string Cassandra::dump() const {
    std::string out;
    const State is = state();
    const State expected = fold(log_);
    for (const auto& [key, row] : is) {
        const auto right = expected.find(key);
        if (right == expected.end() || right->second != row) {
            out += "  " + key + " is " + shown(row) + "\n";
        }
    }
    for (const auto& [key, row] : expected) {
        const auto found = is.find(key);
        if (found == is.end() || found->second != row) {
            out += "  " + key + " should be " + shown(row) + "\n";
        }
    }
    return out;
}

CqlResult Cassandra::select_progress(const Sentence& sentence) const {
    CqlResult result;
    result.columns = {"partition", "next_offset", "clock", "topic_id", "start"};
    if (const auto table = tables_.find("sluice_progress"); table != tables_.end()) {
        for (const auto& [key, row] : table->second) {
            auto& cells = result.rows.emplace_back();
            for (const auto& column : result.columns) {
                const auto cell = row.cells.find(column);
                cells.push_back(cell == row.cells.end() ? std::nullopt : cell->second.value);
            }
        }
    }
    sluice::check(has(sentence, {"SELECT", "partition", ",", "next_offset"}), "progress is read");
    return result;
}

CqlResult Cassandra::query(std::string_view cql) {
    const Sentence sentence = parse(cql).front();
    CqlResult result;
    if (has(sentence, {"system_schema", ".", "columns"})) {
        result.columns = {"column_name", "kind", "position", "type"};
        for (const auto& column : cql_columns(sentence.back().text)) {
            result.rows.push_back(
                {column.name, column.kind, bytes_of(column.position), column.type});
        }
    } else if (has(sentence, {"system_schema", ".", "tables"}) ||
               has(sentence, {"system_schema", ".", "keyspaces"})) {
        result.columns = {"name"};
        result.rows.push_back({sentence.back().text});
    } else if (starts(sentence, {"SELECT", "id", ",", "schema_version"})) {
        result.columns = {"id", "schema_version"};
        result.rows.push_back({std::string(16, '\x22'), bytes_of(std::int32_t{1})});
    } else if (has(sentence, {"sluice_progress"})) {
        return select_progress(sentence);
    } else if (has(sentence, {"LIMIT", "1"})) {  // Whether a table has rows.
        const auto from = find(sentence, {"FROM"});
        const auto table = tables_.find(sentence[from + 3].text);
        if (table != tables_.end() && !table->second.empty()) {
            result.rows.push_back({"x"});
        }
        result.columns = {"x"};
    } else {
        world_.fail("the model of Cassandra does not know this statement: " + std::string(cql));
    }
    return result;
}

}  // namespace sluice::sim
