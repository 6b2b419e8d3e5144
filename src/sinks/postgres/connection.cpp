#include "sinks/postgres/connection.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.hpp"
#include "base/failpoint.hpp"
#include "sinks/postgres/libpq.hpp"

namespace sluice::postgres {
Interrupt::Interrupt() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    check(descriptor_ >= 0, "an eventfd can be had");
}
Interrupt::~Interrupt() { ::close(descriptor_); }
void Interrupt::raise() const {
    const std::uint64_t one = 1;
    // The counter can't overflow in practice, and a full one is raised already.
    (void)!::write(descriptor_, &one, sizeof one);
}

struct Connection::Impl {
    ConnectionHandle handle;
    const Interrupt* interrupt = nullptr;

    // What a connection is made with; what is empty, libpq takes as not given.
    class Parameters {
    public:
        void add(const char* name, std::string value) {
            names_.push_back(name);
            values_.push_back(std::move(value));
        }
        [[nodiscard]] ConnectionHandle start() {
            std::vector<const char*> values;
            for (const auto& value : values_) {
                values.push_back(value.c_str());
            }
            names_.push_back(nullptr);
            values.push_back(nullptr);
            constexpr int expand_dbname = 1;
            return ConnectionHandle(
                PQconnectStartParams(names_.data(), values.data(), expand_dbname));
        }

    private:
        std::vector<const char*> names_;
        std::vector<std::string> values_;
    };

    // Waits for the socket; an empty result means that it is ready.
    std::optional<Failure> wait(std::string_view op, short events, Deadline deadline) const {
        std::array<pollfd, 2> watched{
            pollfd{PQsocket(handle.get()), events, 0},
            pollfd{interrupt == nullptr ? -1 : interrupt->descriptor(), POLLIN, 0}};
        while (true) {
            const int ready = ::poll(watched.data(), watched.size(), deadline.left_ms());
            if (watched[1].revents != 0) {
                return lost(op, "interrupted by shutdown");
            }
            if (ready > 0) {
                return std::nullopt;
            }
            if (deadline.passed()) {
                return lost(op, "no answer from the server in time");
            }
        }
    }

    [[nodiscard]] bool broken() const { return PQstatus(handle.get()) != CONNECTION_OK; }

    Failure broken_now(std::string_view op) const {
        return lost(op, one_line(PQerrorMessage(handle.get())));
    }

    // Sends what libpq still holds, reading along so that the server never blocks on us.
    std::optional<Failure> flush(std::string_view op, Deadline deadline) const {
        while (true) {
            const int left = PQflush(handle.get());
            if (left == 0) {
                return std::nullopt;
            }
            if (left < 0) {
                return broken_now(op);
            }
            if (auto problem = wait(op, POLLIN | POLLOUT, deadline)) {
                return problem;
            }
            if (PQconsumeInput(handle.get()) == 0) {
                return broken_now(op);
            }
        }
    }

    // The next result, or null after the last one.
    Outcome<ResultHandle> next_result(std::string_view op, Deadline deadline) const {
        while (PQisBusy(handle.get()) != 0) {
            if (auto problem = wait(op, POLLIN, deadline)) {
                return tl::unexpected(std::move(*problem));
            }
            if (PQconsumeInput(handle.get()) == 0) {
                return tl::unexpected(broken_now(op));
            }
        }
        return ResultHandle(PQgetResult(handle.get()));
    }

    static Rows read_rows(const PGresult* result);
    Outcome<std::vector<Rows>> results(std::string_view op, Deadline deadline) const;
    std::optional<Failure> send_pieces(std::span<const std::string_view> pieces,
                                       Deadline deadline) const;
};

Rows Connection::Impl::read_rows(const PGresult* result) {
    Rows rows;
    const std::string_view affected = PQcmdTuples(const_cast<PGresult*>(result));
    std::from_chars(affected.data(), affected.data() + affected.size(), rows.affected_);
    const int columns = PQnfields(result);
    rows.rows_.resize(static_cast<std::size_t>(PQntuples(result)));
    for (int r = 0; r < PQntuples(result); ++r) {
        for (int c = 0; c < columns; ++c) {
            auto& row = rows.rows_[static_cast<std::size_t>(r)];
            if (PQgetisnull(result, r, c) != 0) {
                row.push_back({});
            } else {
                row.push_back(
                    {.null = false,
                     .text = std::string(PQgetvalue(result, r, c),
                                         static_cast<std::size_t>(PQgetlength(result, r, c)))});
            }
        }
    }
    return rows;
}

Outcome<std::vector<Rows>> Connection::Impl::results(std::string_view op, Deadline deadline) const {
    if (auto problem = flush(op, deadline)) {
        return tl::unexpected(std::move(*problem));
    }
    std::vector<Rows> all;
    std::optional<Failure> first_failure;
    while (true) {
        auto result = next_result(op, deadline);
        if (!result) {
            // A FATAL error that came before the connection broke says why it broke.
            if (first_failure) {
                first_failure->lost = first_failure->lost || result.error().lost;
                return tl::unexpected(std::move(*first_failure));
            }
            return tl::unexpected(std::move(result).error());
        }
        if (!*result) {
            break;
        }
        const auto status = PQresultStatus(result->get());
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
            all.push_back(read_rows(result->get()));
        } else if (!first_failure) {
            first_failure = from_result(op, result->get(), broken());
        }
    }
    if (first_failure) {
        first_failure->lost = first_failure->lost || broken();
        return tl::unexpected(std::move(*first_failure));
    }
    return all;
}

std::optional<Failure> Connection::Impl::send_pieces(std::span<const std::string_view> pieces,
                                                     Deadline deadline) const {
    // libpq copies what it is given; slices keep that copy small and let it drain.
    constexpr std::size_t slice_bytes = 256 * 1024;
    for (std::string_view piece : pieces) {
        while (!piece.empty()) {
            const auto slice = piece.substr(0, slice_bytes);
            const int taken = PQputCopyData(handle.get(), slice.data(),
                                            static_cast<int>(slice.size()));
            if (taken < 0) {
                return broken_now("postgres.copy");
            }
            if (taken == 1) {
                piece.remove_prefix(slice.size());
            }
            if (auto problem = flush("postgres.copy", deadline)) {
                return problem;
            }
        }
    }
    return std::nullopt;
}

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

// PQconnectPoll knows no connect_timeout: a server that does not answer would use up the time of
// those behind it. So each gets its share.
Outcome<Connection> Connection::open(const ConnectOptions& options, Deadline deadline) {
    const Servers servers = servers_of(options.url);
    for (std::size_t i = 0;; ++i) {
        const auto left = servers.list.size() - i;
        auto share = deadline.left() / static_cast<std::int64_t>(left);
        if (servers.connect_timeout.count() > 0) {
            share = std::min(share, servers.connect_timeout);
        }
        const Server server = servers.list.size() > 1 ? servers.list[i] : Server{};
        auto opened = open_one(options, server, Deadline::in(share).sooner(deadline));
        // As libpq: who refuses us is the right server, and no other is asked.
        if (opened || left == 1 || opened.error().error.action == Action::configure) {
            return opened;
        }
    }
}

Outcome<Connection> Connection::open_one(const ConnectOptions& options, const Server& server,
                                         Deadline deadline) {
    Impl::Parameters parameters;
    // The URL, if it has any of these, overrides what stands before it.
    parameters.add("keepalives_idle", "30");
    parameters.add("tcp_user_timeout", "30000");
    parameters.add("target_session_attrs", "read-write");
    parameters.add("dbname", options.url);
    parameters.add("application_name", options.application_name);
    parameters.add("client_encoding", "UTF8");
    parameters.add("host", server.host);
    parameters.add("hostaddr", server.hostaddr);
    parameters.add("port", server.port);
    parameters.add("user", options.user.value_or(""));
    parameters.add("password", options.password ? options.password->reveal() : std::string{});

    auto impl = std::make_unique<Impl>();
    impl->interrupt = options.interrupt;
    impl->handle = parameters.start();
    check(impl->handle != nullptr, "libpq has memory for a connection");
    // PQconnectStart leaves the socket to be watched for writing first.
    auto state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (PQstatus(impl->handle.get()) == CONNECTION_BAD) {
            return tl::unexpected(from_connect(impl->handle.get()));
        }
        const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (auto problem = impl->wait("postgres.connect", events, deadline)) {
            return tl::unexpected(std::move(*problem));
        }
        state = PQconnectPoll(impl->handle.get());
        if (state == PGRES_POLLING_FAILED) {
            return tl::unexpected(from_connect(impl->handle.get()));
        }
    }
    if (PQsetnonblocking(impl->handle.get(), 1) != 0) {
        return tl::unexpected(impl->broken_now("postgres.connect"));
    }
    // Notices would go to stderr, and may carry values.
    PQsetNoticeProcessor(
        impl->handle.get(), [](void*, const char*) {}, nullptr);
    return Connection(std::move(impl));
}

int Connection::server_process() const { return PQbackendPID(impl_->handle.get()); }

int Connection::server_version() const { return PQserverVersion(impl_->handle.get()); }

Outcome<std::vector<Rows>> Connection::script(const std::string& sql, Deadline deadline,
                                              std::string_view op) {
    if (PQsendQuery(impl_->handle.get(), sql.c_str()) == 0) {
        return tl::unexpected(impl_->broken_now(op));
    }
    return impl_->results(op, deadline);
}

Outcome<Rows> Connection::query(const std::string& sql,
                                std::span<const std::optional<std::string>> parameters,
                                Deadline deadline) {
    std::vector<const char*> values;
    for (const auto& parameter : parameters) {
        values.push_back(parameter ? parameter->c_str() : nullptr);
    }
    if (PQsendQueryParams(impl_->handle.get(), sql.c_str(), static_cast<int>(values.size()),
                          nullptr, values.data(), nullptr, nullptr, 0) == 0) {
        return tl::unexpected(impl_->broken_now("postgres.query"));
    }
    auto results = impl_->results("postgres.query", deadline);
    if (!results) {
        return tl::unexpected(std::move(results).error());
    }
    check(!results->empty(), "a statement has a result");
    return std::move(results->back());
}

Outcome<std::uint64_t> Connection::copy_in(const std::string& sql,
                                           std::span<const std::string_view> pieces,
                                           Deadline deadline) {
    PGconn* connection = impl_->handle.get();
    if (PQsendQuery(connection, sql.c_str()) == 0) {
        return tl::unexpected(impl_->broken_now("postgres.copy"));
    }
    if (auto problem = impl_->flush("postgres.copy", deadline)) {
        return tl::unexpected(std::move(*problem));
    }
    auto start = impl_->next_result("postgres.copy", deadline);
    if (!start) {
        return tl::unexpected(std::move(start).error());
    }
    if (PQresultStatus(start->get()) != PGRES_COPY_IN) {
        auto failure = from_result("postgres.copy", start->get(), impl_->broken());
        auto drained = impl_->results("postgres.copy", deadline);
        failure.lost = failure.lost || (!drained && drained.error().lost);
        return tl::unexpected(std::move(failure));
    }
    if (auto problem = impl_->send_pieces(pieces, deadline)) {
        return tl::unexpected(std::move(*problem));
    }
    failpoint("postgres.in_copy");
    int ended = 0;
    while ((ended = PQputCopyEnd(connection, nullptr)) == 0) {
        if (auto problem = impl_->flush("postgres.copy", deadline)) {
            return tl::unexpected(std::move(*problem));
        }
    }
    if (ended < 0) {
        return tl::unexpected(impl_->broken_now("postgres.copy"));
    }
    auto results = impl_->results("postgres.copy", deadline);
    if (!results) {
        return tl::unexpected(std::move(results).error());
    }
    return results->empty() ? 0 : results->back().affected();
}

bool Connection::idle_transaction() const {
    return PQtransactionStatus(impl_->handle.get()) == PQTRANS_IDLE;
}

std::string library_version() {
    const int version = PQlibVersion();
    return "libpq " + std::to_string(version / 10000) + "." + std::to_string(version % 10000);
}

}  // namespace sluice::postgres
