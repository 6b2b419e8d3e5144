// The tables of the model PostgreSQL, and what must be in them.
#include <algorithm>

#include "base/check.hpp"
#include "simulator/postgres.hpp"

namespace sluice::sim {
namespace {

std::int64_t integer(const Value& value) {
    std::int64_t out = 0;
    for (const char byte : *value) {
        out = out << 8 | static_cast<unsigned char>(byte);
    }
    return out;
}

const Value* cell(const PgRows& rows, std::size_t row, std::string_view column) {
    const auto found = std::ranges::find(rows.columns, column);
    return found == rows.columns.end()
               ? nullptr
               : &rows.rows[row][static_cast<std::size_t>(found - rows.columns.begin())];
}

std::string shown(const StateRow& row) {
    return fmt::format("({}, {}, {}[{}])", row.a.value_or("null"), row.b.value_or("null"),
                       row.partition, row.offset);
}

}  // namespace

const std::vector<Postgres::Column>& Postgres::columns(const std::string& table) {
    static const std::vector<Column> state{
        {"k", "text"}, {"a", "text"}, {"b", "text"}, {"p", "integer"}, {"o", "bigint"}};
    static const std::vector<Column> journal{
        {"p", "integer"}, {"o", "bigint"}, {"k", "text"}, {"a", "text"}};
    static const std::vector<Column> dead{
        {"kafka_topic", "text"},    {"kafka_partition", "integer"},
        {"kafka_offset", "bigint"}, {"timestamp", "timestamp with time zone"},
        {"key", "bytea"},           {"value", "bytea"},
        {"headers", "json"},        {"reason", "text"},
        {"error", "text"}};
    return table == "state" ? state : table == "journal" ? journal : dead;
}

PgSessionPtr Postgres::connect() {
    auto session = std::make_shared<PgSession>(*this, ++last_session_);
    std::erase_if(sessions_, [](const auto& each) { return each.expired(); });
    sessions_.push_back(session);
    return session;
}

// Whoever waits for a lock tries again, the longest waiting first.
void Postgres::released() {
    world_.scheduler.in(Wait{0}, [this] {
        for (const auto& each : sessions_) {
            if (const auto session = each.lock()) {
                session->retry();
            }
        }
    });
}

void PgSession::layout(const Sentence& sentence, PgResult& result) const {
    std::size_t table = 0;
    for (auto at = find(sentence, {"attrelid", "="}); at != nowhere;
         at = find(sentence, {"attrelid", "="}, at + 1)) {
        const auto name = parse(sentence[at + 2].text).front().back().text;
        for (const auto& column : Postgres::columns(name)) {
            result.rows.push_back({std::to_string(table), column.name, column.type});
        }
        ++table;
    }
}

// What is asked of the server itself. False where the model has no answer.
bool PgSession::ask_server(const Sentence& sentence, PgResult& result) {
    if (has(sentence, {"FROM", "pg_class"})) {
        result.rows.push_back({"t"});
        return true;
    }
    if (has(sentence, {"FROM", "sluice", ".", "identity"})) {
        result.rows.push_back({"22222222-2222-4222-8222-222222222222", "1"});
        return true;
    }
    if (starts(sentence, {"SELECT", "DISTINCT", "topic"})) {
        if (!server_.offsets_.empty()) {
            result.rows.push_back({topic_name});
        }
        return true;
    }
    if (has(sentence, {"pg_terminate_backend"})) {
        const auto in = find(sentence, {"IN"});
        const auto list = lists_after(sentence, in + 2).front();
        const auto held = server_.locks_.find(
            {list[0], static_cast<std::int32_t>(std::stol(list[1]))});
        if (held != server_.locks_.end() && held->second != this) {
            const bool end = has(sentence, {"ours", "AND", "true"});
            result.rows.push_back(
                {std::to_string(held->second->number()), "sluice", "app", "t", end ? "t" : "f"});
            if (end) {
                server_.world_.tell("session {} is terminated", held->second->number());
                held->second->end();
            }
        }
        return true;
    }
    return starts(sentence, {"SET"}) || starts(sentence, {"LOCK", "TABLE"}) ||
           has(sentence, {"pg_advisory_xact_lock"});
}

std::string PgSession::change_table(const Sentence& sentence, PgResult& result) {
    // "schema"."table", or a stage's name alone.
    const auto named = [&](std::size_t at) {
        return sentence[at + 1].text == "." ? sentence[at + 2].text : sentence[at].text;
    };
    if (starts(sentence, {"CREATE"})) {
        stages_.try_emplace(sentence[6].text);
    } else if (starts(sentence, {"TRUNCATE"})) {
        stages_[sentence[1].text].rows.clear();
    } else if (starts(sentence, {"COPY"})) {
        PgRows rows = *request_->copied;
        rows.columns = list_after(sentence, 1);
        result.affected = rows.rows.size();
        const std::string table = named(1);
        if (const auto stage = stages_.find(table); stage != stages_.end()) {
            sluice::check(stage->second.rows.empty(), "a stage is empty before it is filled");
            stage->second = std::move(rows);
        } else {
            changes_.push_back({PgChange::Kind::append, table, std::move(rows)});
        }
    } else if (starts(sentence, {"DELETE", "FROM"})) {
        const PgRows& keys = stages_.at(sentence[find(sentence, {"USING"}) + 1].text);
        changes_.push_back({PgChange::Kind::remove, named(2), keys});
    } else if (has(sentence, {"ON", "CONFLICT"})) {
        const PgRows& rows = stages_.at(sentence[find(sentence, {"FROM"}) + 1].text);
        result.affected = rows.rows.size();
        changes_.push_back(
            {PgChange::Kind::merge, named(2), rows, has(sentence, {"DO", "UPDATE"})});
    } else {
        return "42601";
    }
    return {};
}

std::string PgSession::commit() {
    if (!in_transaction_ || failed_) {
        undo();
        server_.released();
        return {};
    }
    server_.apply(*this);
    undo();
    server_.released();
    return {};
}

void Postgres::apply_state(const PgChange& change) {
    const PgRows& rows = change.rows;
    for (std::size_t r = 0; r < rows.rows.size(); ++r) {
        const std::string key = **cell(rows, r, "k");
        if (change.kind == PgChange::Kind::remove) {
            state_.erase(key);
            continue;
        }
        if (state_.contains(key) && !change.update) {
            continue;
        }
        StateRow& row = state_[key];
        if (const auto* a = cell(rows, r, "a")) {
            row.a = *a;
        }
        if (const auto* b = cell(rows, r, "b")) {
            row.b = *b;
        }
        row.partition = static_cast<std::int32_t>(integer(*cell(rows, r, "p")));
        row.offset = integer(*cell(rows, r, "o"));
    }
}

void Postgres::apply(const PgSession& session) {
    std::map<std::int32_t, std::pair<std::int64_t, std::int64_t>> moved;
    for (const auto& [key, row] : session.written_) {
        const auto before = offsets_.find(key);
        if (before == offsets_.end()) {
            begun_[key.second] = row.next;
            world_.tell("postgres: progress of [{}] begins at {}", key.second, row.next);
        } else if (before->second.next != row.next) {
            moved[key.second] = {before->second.next, row.next};
            world_.tell("postgres: session {} commits [{}] {} to {}", session.number(), key.second,
                        before->second.next, row.next);
        }
        offsets_[key] = row;
    }
    for (const auto& change : session.changes_) {
        if (change.table == "state") {
            apply_state(change);
        }
        for (std::size_t r = 0; r < change.rows.rows.size(); ++r) {
            const auto* p = cell(change.rows, r, change.table == "dead" ? "kafka_partition" : "p");
            if (p != nullptr && !moved.contains(static_cast<std::int32_t>(integer(*p)))) {
                world_.fail("postgres: a transaction writes rows of a partition whose offset it "
                            "does not move");
            }
        }
    }
    for (const auto& [partition, range] : moved) {
        const auto& records = log_.partitions[static_cast<std::size_t>(partition)];
        check_appended(session, "journal", partition, range.first, range.second);
        check_appended(session, "dead", partition, range.first, range.second);
        for (auto at = records.find(range.first);
             at < records.records.size() && records.records[at].offset < range.second; ++at) {
            fold(expected_, records.records[at]);
        }
    }
    if (state_ != expected_) {
        world_.fail("postgres: the table of upserts is not what its offsets say\n" + dump());
    }
}

// Of the partition's records in [from, to) each has its row, once and in order.
void Postgres::check_appended(const PgSession& session, const std::string& table,
                              std::int32_t partition, std::int64_t from, std::int64_t to) {
    const bool dead = table == "dead";
    std::vector<std::int64_t> written;
    for (const auto& change : session.changes_) {
        for (std::size_t r = 0; change.table == table && r < change.rows.rows.size(); ++r) {
            if (integer(*cell(change.rows, r, dead ? "kafka_partition" : "p")) == partition) {
                written.push_back(integer(*cell(change.rows, r, dead ? "kafka_offset" : "o")));
            }
        }
    }
    std::vector<std::int64_t> expected;
    const auto& records = log_.partitions[static_cast<std::size_t>(partition)];
    for (auto at = records.find(from);
         at < records.records.size() && records.records[at].offset < to; ++at) {
        if (records.records[at].bad == dead) {
            expected.push_back(records.records[at].offset);
        }
    }
    // Rows with other columns than their neighbours go by a COPY of their own.
    if (!dead && table == "journal") {
        std::ranges::sort(written);
    }
    (dead ? dead_ : journal_) += written.size();
    if (written != expected) {
        world_.fail(fmt::format("postgres: partition {} goes from {} to {}, and table {} gets the "
                                "records [{}] instead of [{}]",
                                partition, from, to, table, fmt::join(written, " "),
                                fmt::join(expected, " ")));
    }
}

std::int64_t Postgres::next_of(std::int32_t partition) const {
    const auto row = offsets_.find({topic_name, partition});
    return row == offsets_.end() ? 0 : row->second.next;
}

void Postgres::check_commit(std::int32_t partition, std::int64_t next) {
    const std::int64_t stored = next_of(partition);
    const auto& records = log_.partitions[static_cast<std::size_t>(partition)];
    const auto at = records.find(stored);
    if (at < records.records.size() && records.records[at].offset < next) {
        world_.fail(fmt::format("kafka: the commit [{}]@{} passes record {}, which is not written",
                                partition, next, records.records[at].offset));
    }
}

void Postgres::check_all() {
    std::uint64_t good = 0;
    std::uint64_t bad = 0;
    for (std::int32_t p = 0; p < static_cast<std::int32_t>(log_.partitions.size()); ++p) {
        const auto& partition = log_.partitions[static_cast<std::size_t>(p)];
        const std::int64_t next = next_of(p);
        if (!partition.records.empty() && next <= partition.records.back().offset) {
            world_.fail(fmt::format("postgres: partition {} ends at {}, and the log at {}", p, next,
                                    partition.end));
        }
        for (const auto& record : partition.records) {
            ++(record.bad ? bad : good);
        }
    }
    if (journal_ != good || dead_ != bad) {
        world_.fail(fmt::format("postgres: {} rows and {} dead letters of {} and {} records",
                                journal_, dead_, good, bad));
    }
    if (state_ != fold(log_)) {
        world_.fail("postgres: the table of upserts is not what one pass gives\n" + dump());
    }
}

std::string Postgres::dump() const {
    std::string out;
    for (const auto& [key, row] : state_) {
        const auto expected = expected_.find(key);
        if (expected == expected_.end() || expected->second != row) {
            out += "  " + key + " is " + shown(row) + "\n";
        }
    }
    for (const auto& [key, row] : expected_) {
        const auto found = state_.find(key);
        if (found == state_.end() || found->second != row) {
            out += "  " + key + " should be " + shown(row) + "\n";
        }
    }
    return out;
}

}  // namespace sluice::sim
