// The shipping code's connections, on the model PostgreSQL; and the tables that they find there,
// without the catalog's queries.
#include <algorithm>

#include "base/big_endian.hpp"
#include "base/check.hpp"
#include "simulator/history.hpp"
#include "sinks/postgres/copy.hpp"
#include "sinks/postgres/resolve.hpp"
#include "sinks/postgres/sqlstate.hpp"

namespace sluice::postgres {

using sim::Fate;
using sim::world;

namespace {

Failure lost(std::string_view op) {
    return {.error = {.action = Action::retry,
                      .op = std::string(op),
                      .where = {},
                      .code = {},
                      .detail = "the connection is gone",
                      .hint = {}},
            .copy_line = {},
            .column = {},
            .lost = true};
}

Failure refused(std::string_view op, std::string_view sqlstate) {
    Failure failure = lost(op);
    failure.lost = needs_reconnect(sqlstate);
    failure.error.action = action_for(sqlstate, {});
    failure.error.code = sqlstate;
    failure.error.detail = "the server refused it";
    return failure;
}

bool database_is_down() { return world->database_down_until > world->scheduler.now(); }

}  // namespace

Interrupt::Interrupt() : descriptor_(0) {}
Interrupt::~Interrupt() = default;
void Interrupt::raise() const {
    const_cast<Interrupt*>(this)->descriptor_ = 1;  // Whoever waits looks at it now and then.
}

struct Connection::Impl {
    sim::PgSessionPtr session;
    const Interrupt* interrupt = nullptr;

    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    // The server notices soon that its client is gone; a request that is under way comes first.
    ~Impl() { leave(sim::ms(world->random.chance(0.7) ? 0 : world->random.below(5'000))); }

    void leave(sim::Wait wait) {
        if (session) {
            world->scheduler.in(wait, [gone = std::move(session)] { gone->end(); });
            session = nullptr;
        }
    }

    struct Answer {
        std::optional<sim::PgReply> reply;
    };

    Outcome<std::vector<sim::PgResult>> ask(sim::PgRequest request, Deadline deadline,
                                            std::string_view op) {
        if (world->scheduler.past() || !session) {
            return tl::unexpected(lost(op));
        }
        Fate fate = world->begin(op);
        if (database_is_down()) {
            fate = Fate::request_lost;
        }
        if (fate == Fate::refused) {
            // The statement is not begun; the transaction around it is broken all the same.
            request.statements = {sim::Sentence{{sim::Token::Kind::word, "sluice_refuse"}}};
        }
        const auto answer = std::make_shared<Answer>();
        if (fate == Fate::request_lost) {
            leave(sim::ms(world->random.below(3'000)));
        } else {
            send(fate, std::move(request), answer);
        }
        const bool noticed = fate != Fate::done && world->random.chance(0.6);
        const Deadline until =
            noticed ? deadline.sooner(Deadline(world->scheduler.now() + world->way())) : deadline;
        wait(answer, until);
        if (!answer->reply || answer->reply->ended) {
            leave(sim::ms(world->random.below(5'000)));
            return tl::unexpected(lost(op));
        }
        if (!answer->reply->sqlstate.empty()) {
            return tl::unexpected(refused(op, answer->reply->sqlstate));
        }
        return std::move(answer->reply->results);
    }

    void send(Fate fate, sim::PgRequest request, const std::shared_ptr<Answer>& answer) const {
        const sim::Wait there = fate == Fate::late ? sim::ms(world->random.between(100, 20'000))
                                                   : world->way();
        world->scheduler.in(
            there, [server = session, fate, answer, request = std::move(request)]() mutable {
                server->request(std::move(request), [fate, answer](sim::PgReply reply) {
                    if (fate != Fate::done && fate != Fate::refused) {
                        return;
                    }
                    world->scheduler.in(world->way(), [answer, reply = std::move(reply)]() mutable {
                        answer->reply = std::move(reply);
                        world->scheduler.notify(answer.get());
                    });
                });
            });
    }

    // An interrupt is looked for now and then.
    void wait(const std::shared_ptr<Answer>& answer, Deadline until) const {
        while (!answer->reply && !until.passed()) {
            if (interrupt != nullptr && interrupt->descriptor() != 0) {
                return;
            }
            const auto look = Deadline(world->scheduler.now() + sim::ms(500)).sooner(until);
            (void)world->scheduler.wait(answer.get(), look.at());
        }
    }
};

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

Outcome<Connection> Connection::open(const ConnectOptions& options, Deadline deadline) {
    if (world->scheduler.past()) {
        return tl::unexpected(lost("postgres.connect"));
    }
    const Fate fate = world->begin("postgres.connect");
    if (fate != Fate::done || database_is_down()) {
        world->scheduler.sleep(std::min<sim::Wait>(
            world->random.chance(0.5) ? sim::ms(5) : sim::ms(10'000), deadline.left()));
        return tl::unexpected(lost("postgres.connect"));
    }
    world->scheduler.sleep(world->way());
    auto impl = std::make_unique<Impl>();
    impl->interrupt = options.interrupt;
    impl->session = sim::history->postgres.connect();
    return Connection(std::move(impl));
}

int Connection::server_process() const { return 0; }

int Connection::server_version() const { return 150000; }

Outcome<std::vector<Rows>> Connection::script(const std::string& sql, Deadline deadline,
                                              std::string_view op) {
    auto results = impl_->ask({.statements = sim::parse(sql), .copied = {}}, deadline, op);
    if (!results) {
        return tl::unexpected(std::move(results).error());
    }
    std::vector<Rows> all;
    for (const auto& result : *results) {
        Rows& rows = all.emplace_back();
        rows.affected_ = result.affected;
        for (const auto& row : result.rows) {
            auto& cells = rows.rows_.emplace_back();
            for (const auto& value : row) {
                cells.push_back({.null = !value, .text = value.value_or("")});
            }
        }
    }
    return all;
}

Outcome<Rows> Connection::query(const std::string& sql, std::span<const std::optional<std::string>>,
                                Deadline deadline) {
    auto results = script(sql, deadline);
    if (!results) {
        return tl::unexpected(std::move(results).error());
    }
    return std::move(results->back());
}

Outcome<std::uint64_t> Connection::copy_in(const std::string& sql,
                                           std::span<const std::string_view> pieces,
                                           Deadline deadline) {
    std::string bytes;
    for (const auto piece : pieces) {
        bytes.append(piece);
    }
    check(bytes.starts_with(copy_header) && bytes.ends_with(copy_trailer), "COPY's own frame");
    sim::PgRows copied;
    std::size_t at = copy_header.size();
    while (at < bytes.size() - copy_trailer.size()) {
        auto& row = copied.rows.emplace_back();
        const auto cells = read_big_endian<std::uint16_t>(bytes.data() + at);
        at += 2;
        for (std::uint16_t c = 0; c < cells; ++c) {
            const auto length = read_big_endian<std::int32_t>(bytes.data() + at);
            at += 4;
            row.push_back(length < 0 ? sim::Value{}
                                     : bytes.substr(at, static_cast<std::size_t>(length)));
            at += static_cast<std::size_t>(std::max(length, 0));
        }
    }
    auto results = impl_->ask({.statements = sim::parse(sql), .copied = std::move(copied)},
                              deadline, "postgres.copy");
    if (!results) {
        return tl::unexpected(std::move(results).error());
    }
    return results->back().affected;
}

bool Connection::idle_transaction() const {
    return !impl_->session || !impl_->session->in_transaction();
}

// What the catalog's queries would give; they are tried on a real server.
Outcome<Resolved> resolve(Connection&, std::span<const Route> routes, const ResolveOptions&,
                          Deadline) {
    Resolved resolved;
    for (const auto& route : routes) {
        resolved.routes.push_back(route);
        auto& plans = resolved.plans.emplace_back();
        for (auto& target : resolved.routes.back().targets) {
            Table table;
            table.schema = "public";
            table.name = target.table;
            for (const auto& column : sim::Postgres::columns(target.table)) {
                const std::string_view type = column.type;
                table.columns.push_back({.name = column.name,
                                         .type_name = column.type,
                                         .type = type == "integer"  ? Type::int4
                                                 : type == "bigint" ? Type::int8
                                                 : type == "bytea"  ? Type::bytea
                                                 : type == "json"   ? Type::json
                                                 : type == "text"   ? Type::text
                                                                    : Type::timestamptz});
            }
            target = complete(target, table);
            plans.push_back(make_plan(target, table));
        }
    }
    return resolved;
}

}  // namespace sluice::postgres
