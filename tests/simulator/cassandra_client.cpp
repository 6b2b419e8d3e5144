// The driver's C interface, on the model Cassandra.
#include <sluice/cassandra_bridge.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "base/check.hpp"
#include "simulator/history.hpp"

using sluice::Deadline;
using sluice::sim::Fate;
using sluice::sim::ms;
using sluice::sim::Wait;
using sluice::sim::world;
using namespace std::string_view_literals;

namespace {

struct Failed {
    std::int32_t kind = SLC_OK;
    std::int32_t code = 0;
    std::string_view message;
};

// One call of slc_write.
struct Write {
    SlcDone done = nullptr;
    void* context = nullptr;
    std::size_t waiting = 0;     // Requests without an outcome.
    std::vector<Failed> failed;  // By row.
    bool ended = false;
};
using WritePtr = std::shared_ptr<Write>;

sluice::sim::Cassandra& server() { return sluice::sim::history->cassandra; }

bool is_down() { return world->database_down_until > world->scheduler.now(); }

void set(SlcError* error, const Failed& failed) {
    if (error != nullptr) {
        *error = {};
        error->kind = failed.kind;
        error->cql_code = failed.code;
        (void)failed.message.copy(error->message, sizeof(error->message) - 1);
    }
}

}  // namespace

struct SlcSession {
    sluice::sim::Process* process = nullptr;
    std::set<WritePtr> writes;
};
struct SlcStatement {
    sluice::sim::CqlStatement parsed;
};
struct SlcRows {
    sluice::sim::CqlResult result;
};

namespace {

void end(SlcSession* session, const WritePtr& write) {
    if (write->ended) {
        return;
    }
    write->ended = true;
    if (session != nullptr) {
        session->writes.erase(write);
    }
    std::vector<SlcFailure> failures;
    for (std::uint32_t r = 0; r < write->failed.size(); ++r) {
        const Failed& failed = write->failed[r];
        if (failed.kind != SLC_OK) {
            failures.push_back(
                {r, failed.kind, failed.code, failed.message.data(), failed.message.size()});
        }
    }
    write->done(write->context, failures.data(), failures.size());
}

std::int32_t blocked(const char* op, std::uint32_t timeout_ms, std::string_view cql,
                     sluice::sim::CqlResult& result, SlcError* error) {
    const std::string asked(cql);
    if (world->scheduler.past()) {
        set(error, {SLC_CONNECTION, 0, "the process is gone"});
        return SLC_CONNECTION;
    }
    auto answer = world->ask<std::optional<sluice::sim::CqlResult>>(
        op, Deadline::in(std::chrono::milliseconds{timeout_ms}), [asked] {
            if (is_down()) {
                return std::optional<sluice::sim::CqlResult>{};
            }
            return std::optional(asked.empty() ? sluice::sim::CqlResult{} : server().query(asked));
        });
    if (!answer || !*answer) {
        set(error, {SLC_TIMEOUT, 0, "no answer"});
        return SLC_TIMEOUT;
    }
    result = std::move(**answer);
    return SLC_OK;
}

sluice::sim::CqlWrite parsed(const SlcWrite& write, const SlcRow& row) {
    const auto& statement = write.statements[row.statement]->parsed;
    sluice::sim::CqlWrite out{.statement = &statement, .cells = {}, .timestamp = {}};
    std::string_view cells(reinterpret_cast<const char*>(write.cells) + row.cells_offset,
                           row.cells_size);
    std::vector<sluice::sim::CqlCell> all;
    while (!cells.empty()) {
        std::int32_t length = 0;
        std::memcpy(&length, cells.data(), sizeof(length));
        const std::size_t size = length < 0 ? 0 : static_cast<std::size_t>(length);
        cells.remove_prefix(sizeof(length));
        if (length == -2) {
            all.emplace_back();
        } else if (length == -1) {
            all.emplace_back(std::optional<std::string>{});
        } else {
            all.emplace_back(std::string(cells.substr(0, size)));
        }
        cells.remove_prefix(size);
    }
    sluice::check(all.size() == statement.columns.size() + (statement.timestamped ? 1 : 0),
                  "a row has a cell for each marker");
    if (statement.timestamped) {
        const auto at = statement.remove ? all.begin() : all.end() - 1;
        if (*at && **at) {
            std::int64_t timestamp = 0;
            for (const char byte : ***at) {
                timestamp = timestamp << 8 | static_cast<unsigned char>(byte);
            }
            out.timestamp = timestamp;
        }
        all.erase(at);
    }
    out.cells = std::move(all);
    return out;
}

// What the server says where it takes nothing, or does not know.
Failed refusal() {
    static constexpr std::array kinds{
        Failed{SLC_DB, 0x1000, "unavailable"}, Failed{SLC_DB, 0x1001, "overloaded"},
        Failed{SLC_DB, 0x1100, "write timeout"}, Failed{SLC_DB, 0x1500, "write failure"}};
    return kinds[static_cast<std::size_t>(world->random.below(kinds.size()))];
}

// One request of a call: its rows are taken together, or nobody knows.
void send(SlcSession* session, const WritePtr& write, std::uint32_t first,
          std::vector<sluice::sim::CqlWrite> rows, std::uint32_t timeout_ms) {
    const Fate fate = is_down() ? Fate::refused : world->fate(*session->process, "cassandra.write");
    Failed outcome;
    Wait heard = world->way() + world->way();
    const Wait timeout = ms(timeout_ms);
    switch (fate) {
        case Fate::done:
            break;
        case Fate::refused:
            outcome = refusal();
            break;
        default:
            outcome = world->random.chance(0.5) ? Failed{SLC_TIMEOUT, 0, "no answer"}
                                                : Failed{SLC_CONNECTION, 0, "connection lost"};
            heard = outcome.kind == SLC_TIMEOUT ? timeout : heard;
            break;
    }
    // Of a refusal that is a timeout the rows may be there all the same.
    const bool taken = fate == Fate::refused ? outcome.code >= 0x1100 && world->random.chance(0.5)
                                             : fate != Fate::request_lost;
    const auto size = rows.size();
    if (taken) {
        Wait there = heard / 2;
        if (fate == Fate::late) {
            there = heard + ms(world->random.below(20'000));
        }
        world->scheduler.in(there, [rows = std::move(rows)] { server().write(rows); });
    }
    world->scheduler.deliver(heard, *session->process, [=] {
        if (write->ended) {
            return;
        }
        std::fill_n(write->failed.begin() + first, size, outcome);
        if (--write->waiting == 0) {
            end(session, write);
        }
    });
}

}  // namespace

extern "C" {

const char* slc_version(void) { return "a model"; }

int32_t slc_connect(const SlcOptions* options, SlcSession** session, SlcError* error) {
    const Fate fate = world->begin("cassandra.connect");
    if (fate != Fate::done || is_down()) {
        world->scheduler.sleep(ms(world->random.chance(0.5) ? 5 : options->connect_timeout_ms));
        set(error, {SLC_CONNECTION, 0, "no connection"});
        return SLC_CONNECTION;
    }
    world->scheduler.sleep(world->way());
    *session = new SlcSession{.process = &world->process(), .writes = {}};
    return SLC_OK;
}

int32_t slc_close(SlcSession* session, uint32_t) {
    if (session == nullptr) {
        return SLC_OK;
    }
    for (const auto& write : std::set(session->writes)) {
        for (auto& failed : write->failed) {
            failed = {SLC_CONNECTION, 0, "closed"};
        }
        end(nullptr, write);
    }
    delete session;
    return SLC_OK;
}

int32_t slc_prepare(SlcSession*, const char* cql, size_t cql_size, uint32_t timeout_ms,
                    SlcStatement** statement, SlcError* error) {
    sluice::sim::CqlResult nothing;
    const auto asked = blocked("cassandra.prepare", timeout_ms, {}, nothing, error);
    if (asked != SLC_OK) {
        return asked;
    }
    *statement = new SlcStatement{server().prepare({cql, cql_size})};
    return SLC_OK;
}

void slc_statement_free(SlcStatement* statement) {
    // Requests that are under way read it until the history's end.
    if (statement != nullptr) {
        sluice::sim::history->keep(std::shared_ptr<const void>(
            statement, [](const void* kept) { delete static_cast<const SlcStatement*>(kept); }));
    }
}

int32_t slc_execute(SlcSession*, const SlcStatement*, const uint8_t*, size_t, uint32_t, SlcRows**,
                    SlcError*) {
    sluice::check(false, "nothing is executed row by row");
    return SLC_USAGE;
}

int32_t slc_query(SlcSession*, const char* cql, size_t cql_size, uint32_t timeout_ms,
                  SlcRows** rows, SlcError* error) {
    sluice::sim::CqlResult result;
    const auto asked = blocked("cassandra.query", timeout_ms, {cql, cql_size}, result, error);
    if (asked == SLC_OK) {
        *rows = new SlcRows{std::move(result)};
    }
    return asked;
}

int32_t slc_write(SlcSession* session, const SlcWrite* write, SlcDone done, void* context,
                  SlcError*) {
    const auto call = std::make_shared<Write>();
    call->done = done;
    call->context = context;
    call->failed.resize(write->rows_size);
    session->writes.insert(call);
    std::vector<std::pair<std::uint32_t, std::vector<sluice::sim::CqlWrite>>> requests;
    for (std::uint32_t r = 0; r < write->rows_size; ++r) {
        if (r == 0 || write->rows[r].group != write->rows[r - 1].group) {
            requests.push_back({r, {}});
        }
        requests.back().second.push_back(parsed(*write, write->rows[r]));
    }
    call->waiting = requests.size();
    for (auto& [first, rows] : requests) {
        send(session, call, first, std::move(rows), write->timeout_ms);
    }
    return SLC_OK;
}

int32_t slc_nodes(SlcSession*, SlcRows** rows, SlcError*) {
    *rows = new SlcRows{};
    return SLC_OK;
}

size_t slc_rows_count(const SlcRows* rows) { return rows->result.rows.size(); }
size_t slc_rows_columns(const SlcRows* rows) { return rows->result.columns.size(); }

const char* slc_rows_column_name(const SlcRows* rows, size_t column, size_t* size) {
    if (column >= rows->result.columns.size()) {
        *size = 0;
        return nullptr;
    }
    *size = rows->result.columns[column].size();
    return rows->result.columns[column].data();
}

int32_t slc_rows_cell(const SlcRows* rows, size_t row, size_t column, const uint8_t** data,
                      int32_t* size) {
    const auto& cell = rows->result.rows[row][column];
    *data = cell ? reinterpret_cast<const uint8_t*>(cell->data()) : nullptr;
    *size = cell ? static_cast<int32_t>(cell->size()) : -1;
    return SLC_OK;
}

void slc_rows_free(SlcRows* rows) { delete rows; }

}  // extern "C"
