// A model of PostgreSQL: sessions with transactions at READ COMMITTED, row locks on the offsets,
// and the tables. It is asked in SQL, as the shipping code writes it; a statement that it does not
// know fails the history.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.hpp"
#include "simulator/log.hpp"
#include "simulator/sql.hpp"
#include "simulator/world.hpp"

namespace sluice::sim {

using Value = std::optional<std::string>;

// Of one statement.
struct PgResult {
    std::vector<std::vector<Value>> rows;
    std::uint64_t affected = 0;
};
struct PgReply {
    std::vector<PgResult> results;
    std::string sqlstate;  // Empty: all went well.
    bool ended = false;    // The session is gone.
};

// Rows as COPY brings them: values in the binary format, by column.
struct PgRows {
    std::vector<std::string> columns;
    std::vector<std::vector<Value>> rows;
};
struct PgRequest {
    std::vector<Sentence> statements;
    std::optional<PgRows> copied;  // The input of the only statement, a COPY.
};

struct OffsetRow {
    std::string topic_id;
    std::int64_t next = 0;
    std::string start;
};
using OffsetKey = std::pair<std::string, std::int32_t>;  // Topic and partition.

// A change of a table that waits for its transaction's end.
struct PgChange {
    enum class Kind : std::uint8_t { append, merge, remove } kind = Kind::append;
    std::string table;
    PgRows rows;
    bool update = true;  // merge: ON CONFLICT DO UPDATE, not DO NOTHING.
};

class Postgres;

// A session at the server. It outlives its client for a while.
class PgSession : public std::enable_shared_from_this<PgSession> {
public:
    PgSession(Postgres& server, int number) : server_(server), number_(number) {}

    // One request at a time; `answer` comes when it is through.
    void request(PgRequest request, std::function<void(PgReply)> answer);
    // The client is gone, or an administrator has said so: an open transaction is undone.
    void end();
    // Tries on, where it waits for a lock.
    void retry();
    [[nodiscard]] bool in_transaction() const { return in_transaction_; }
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] int number() const { return number_; }
    [[nodiscard]] bool locks(const OffsetKey& key) const;

private:
    friend class Postgres;
    struct Blocked {};
    void go_on();
    // An SQLSTATE, or empty.
    std::string execute(const Sentence& sentence);
    std::string begin(const Sentence& sentence);
    std::string advance(const Sentence& sentence, PgResult& result);
    std::string read_offsets(const Sentence& sentence, PgResult& result);
    std::string insert_offsets(const Sentence& sentence);
    std::string change_table(const Sentence& sentence, PgResult& result);
    std::string commit();
    void layout(const Sentence& sentence, PgResult& result) const;
    bool ask_server(const Sentence& sentence, PgResult& result);
    void finish(std::string sqlstate);
    void undo();
    void watch_idle();
    void lock(const OffsetKey& key);  // Throws Blocked while somebody else holds it.
    [[nodiscard]] const OffsetRow* offset(const OffsetKey& key) const;

    Postgres& server_;
    int number_;
    bool ended_ = false;
    std::uint64_t requests_ = 0;

    std::optional<PgRequest> request_;
    std::size_t statement_ = 0;
    PgReply reply_;
    std::function<void(PgReply)> answer_;
    std::optional<Time> gives_up_;  // Waiting for a lock.

    bool in_transaction_ = false;
    bool failed_ = false;
    bool snapshot_ = false;  // REPEATABLE READ or more.
    std::map<OffsetKey, OffsetRow> snapshot_offsets_;
    Wait lock_timeout_{std::chrono::hours{1}};
    std::map<OffsetKey, OffsetRow> written_;
    std::vector<PgChange> changes_;
    std::map<std::string, PgRows> stages_;
};
using PgSessionPtr = std::shared_ptr<PgSession>;

class Postgres {
public:
    Postgres(World& shared, const Log& log) : world_(shared), log_(log) {}

    PgSessionPtr connect();
    [[nodiscard]] World& world() { return world_; }

    // The columns of a table and their types, as its catalog has them.
    struct Column {
        const char* name;
        const char* type;
    };
    [[nodiscard]] static const std::vector<Column>& columns(const std::string& table);

    // Where the progress of a partition stands.
    [[nodiscard]] std::int64_t next_of(std::int32_t partition) const;
    // Of a commit to the group: it never stands before the rows.
    void check_commit(std::int32_t partition, std::int64_t next);
    // At the end of a history: what one pass over the log gives.
    void check_all();
    [[nodiscard]] std::string dump() const;

private:
    friend class PgSession;
    // The transaction's changes; checked: they are what its offsets say.
    void apply(const PgSession& session);
    void apply_state(const PgChange& change);
    void check_appended(const PgSession& session, const std::string& table, std::int32_t partition,
                        std::int64_t from, std::int64_t to);
    void released();

    World& world_;
    const Log& log_;
    std::vector<std::weak_ptr<PgSession>> sessions_;
    int last_session_ = 0;
    std::map<OffsetKey, OffsetRow> offsets_;
    std::map<OffsetKey, PgSession*> locks_;
    State state_;     // The table, as it is.
    State expected_;  // As the offsets say that it must be.
    std::uint64_t journal_ = 0;
    std::uint64_t dead_ = 0;
    std::map<std::int32_t, std::int64_t> begun_;  // Where each partition's progress began.
};

}  // namespace sluice::sim
