#include "sinks/cassandra/session.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/check.hpp"
#include "base/text.hpp"
#include "sinks/cassandra/bridge.hpp"

namespace sluice::cassandra {
namespace {

using namespace std::string_view_literals;

// 0 would mean the driver's default; a deadline that has passed still asks once.
std::uint32_t millis_left(Deadline deadline) {
    return static_cast<std::uint32_t>(std::max(deadline.left_ms(), 1));
}

Error translated(const SlcError& error, std::string_view op) {
    return translate(error.kind, error.cql_code, error.message, op);
}

Error connect_error(const SlcError& raw, const ConnectOptions& options) {
    Error error = translated(raw, "cassandra.connect");
    if (raw.kind == SLC_USAGE) {
        // The options alone can be wrong here, and the driver's text says which.
        error.action = Action::configure;
        error.hint = options.local_dc ? "check cassandra.local_dc and cassandra.hosts"
                                      : "check cassandra.hosts";
    } else if (raw.kind == SLC_CONNECTION || raw.kind == SLC_TIMEOUT) {
        error.hint = "is Cassandra running, and reachable at " + join(options.hosts) +
                     "? (cassandra.hosts)";
    }
    return error;
}

const char* text_or_null(const std::optional<std::string>& text) {
    return text ? text->c_str() : nullptr;
}

// Gives the listener what the driver says, with each message translated once.
void on_done(void* context, const SlcFailure* failures, std::size_t size) {
    const std::unique_ptr<WriteListener> listener(static_cast<WriteListener*>(context));
    WriteOutcome outcome;
    outcome.failures.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
        const SlcFailure& failure = failures[i];
        // The rows of one batch share one message.
        const bool as_before = i > 0 && failure.message == failures[i - 1].message &&
                               failure.kind == failures[i - 1].kind &&
                               failure.cql_code == failures[i - 1].cql_code;
        if (!as_before) {
            outcome.errors.push_back(translate(failure.kind, failure.cql_code,
                                               {failure.message, failure.message_size},
                                               "cassandra.write"));
        }
        outcome.failures.push_back(
            {failure.row, static_cast<std::uint32_t>(outcome.errors.size() - 1)});
    }
    listener->done(std::move(outcome));
}

}  // namespace

void Rows::free(SlcRows* rows) { slc_rows_free(rows); }
std::size_t Rows::size() const { return slc_rows_count(rows_.get()); }
std::size_t Rows::columns() const { return slc_rows_columns(rows_.get()); }

std::optional<std::size_t> Rows::find(std::string_view column) const {
    for (std::size_t i = 0; i < columns(); ++i) {
        std::size_t size = 0;
        const char* name = slc_rows_column_name(rows_.get(), i, &size);
        if (std::string_view(name, size) == column) {
            return i;
        }
    }
    return std::nullopt;
}

std::string_view Rows::bytes(std::size_t row, std::size_t column) const {
    const std::uint8_t* data = nullptr;
    std::int32_t size = 0;
    const auto kind = slc_rows_cell(rows_.get(), row, column, &data, &size);
    check(kind == SLC_OK, "the cell exists");
    if (data == nullptr || size <= 0) {
        return {};
    }
    return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)};
}

bool Rows::is_null(std::size_t row, std::size_t column) const {
    const std::uint8_t* data = nullptr;
    std::int32_t size = 0;
    check(slc_rows_cell(rows_.get(), row, column, &data, &size) == SLC_OK, "the cell exists");
    return size < 0;
}

std::string Rows::text(std::size_t row, std::size_t column) const {
    return std::string(bytes(row, column));
}

std::int64_t Rows::integer(std::size_t row, std::size_t column) const {
    const auto raw = bytes(row, column);
    check(raw.size() <= sizeof(std::int64_t), "an integer has at most eight bytes");
    const bool negative = !raw.empty() && (static_cast<unsigned char>(raw.front()) & 0x80) != 0;
    std::uint64_t value = negative ? std::numeric_limits<std::uint64_t>::max() : 0;
    for (const char byte : raw) {
        value = value << 8 | static_cast<unsigned char>(byte);
    }
    return static_cast<std::int64_t>(value);
}

bool Rows::boolean(std::size_t row, std::size_t column) const { return integer(row, column) != 0; }

Uuid Rows::uuid(std::size_t row, std::size_t column) const {
    const auto raw = bytes(row, column);
    Uuid id;
    if (raw.size() == id.bytes.size()) {
        std::ranges::copy(raw, id.bytes.begin());
    }
    return id;
}

void Statement::free(SlcStatement* statement) { slc_statement_free(statement); }

// Without a deadline nothing is waited for, as in every destructor.
void Session::abort(SlcSession* session) { (void)slc_close(session, 0); }

Result<Session> Session::connect(const ConnectOptions& options, Deadline deadline) {
    const auto level = consistency_level(options.consistency);
    if (!level) {
        return fail({.action = Action::configure,
                     .op = "cassandra.connect",
                     .where = {},
                     .code = {},
                     .detail = "'" + options.consistency + "' is no consistency for writes",
                     .hint = "cassandra.consistency: local_quorum is the usual one"});
    }
    std::vector<const char*> hosts;
    for (const auto& host : options.hosts) {
        hosts.push_back(host.c_str());
    }
    SlcOptions raw{};
    raw.hosts = hosts.data();
    raw.hosts_size = hosts.size();
    raw.username = text_or_null(options.username);
    const auto password = options.password ? std::optional(options.password->reveal())
                                           : std::nullopt;
    raw.password = text_or_null(password);
    raw.local_dc = text_or_null(options.local_dc);
    raw.application_name = options.application_name.c_str();
    raw.connect_timeout_ms = millis_left(deadline);
    raw.consistency = *level;
    SlcSession* session = nullptr;
    SlcError error{};
    if (slc_connect(&raw, &session, &error) != SLC_OK) {
        return fail(connect_error(error, options));
    }
    return Session(session);
}

Result<Rows> Session::query(std::string_view cql, Deadline deadline) {
    SlcRows* rows = nullptr;
    SlcError error{};
    if (slc_query(session_.get(), cql.data(), cql.size(), millis_left(deadline), &rows, &error) !=
        SLC_OK) {
        return fail(translated(error, "cassandra.query"));
    }
    return Rows(rows);
}

Result<Statement> Session::prepare(std::string_view cql, Deadline deadline) {
    SlcStatement* statement = nullptr;
    SlcError error{};
    if (slc_prepare(session_.get(), cql.data(), cql.size(), millis_left(deadline), &statement,
                    &error) != SLC_OK) {
        return fail(translated(error, "cassandra.prepare"));
    }
    return Statement(statement);
}

Result<Rows> Session::execute(const Statement& statement, std::string_view cells,
                              Deadline deadline) {
    SlcRows* rows = nullptr;
    SlcError error{};
    if (slc_execute(session_.get(), statement.get(),
                    reinterpret_cast<const std::uint8_t*>(cells.data()), cells.size(),
                    millis_left(deadline), &rows, &error) != SLC_OK) {
        return fail(translated(error, "cassandra.execute"));
    }
    return Rows(rows);
}

Result<void> Session::write(const WriteRequest& request, std::unique_ptr<WriteListener> listener) {
    SlcWrite raw{};
    raw.statements = request.statements.data();
    raw.statements_size = request.statements.size();
    raw.cells = reinterpret_cast<const std::uint8_t*>(request.cells.data());
    raw.cells_size = request.cells.size();
    raw.rows = request.rows;
    raw.rows_size = request.rows_size;
    raw.in_flight_max = request.in_flight_max;
    raw.timeout_ms = static_cast<std::uint32_t>(request.timeout.count());
    SlcError error{};
    WriteListener* context = listener.release();
    if (slc_write(session_.get(), &raw, &on_done, context, &error) != SLC_OK) {
        listener.reset(context);  // Refused: done never comes, so the listener is ours again.
        return fail(translated(error, "cassandra.write"));
    }
    return {};
}

std::vector<Node> Session::nodes() {
    SlcRows* raw = nullptr;
    std::vector<Node> nodes;
    if (slc_nodes(session_.get(), &raw, nullptr) != SLC_OK) {
        return nodes;
    }
    const Rows rows(raw);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        nodes.push_back({.datacenter = rows.text(r, 1), .up = rows.boolean(r, 3)});
    }
    return nodes;
}

void Session::close(Deadline deadline) {
    (void)slc_close(session_.release(), static_cast<std::uint32_t>(deadline.left_ms()));
}

std::optional<std::uint16_t> consistency_level(std::string_view name) {
    static constexpr std::array levels{
        std::pair{"one"sv, 1},         std::pair{"two"sv, 2},       std::pair{"three"sv, 3},
        std::pair{"quorum"sv, 4},      std::pair{"all"sv, 5},       std::pair{"local_quorum"sv, 6},
        std::pair{"each_quorum"sv, 7}, std::pair{"local_one"sv, 10}};
    const auto found = std::ranges::find(levels, name, &decltype(levels)::value_type::first);
    if (found == levels.end()) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(found->second);
}

std::string quote_identifier(std::string_view name) {
    std::string out(1, '"');
    for (const char c : name) {
        out.append(c == '"' ? 2 : 1, c);
    }
    return out + '"';
}

std::string quote_text(std::string_view text) {
    std::string out(1, '\'');
    for (const char c : text) {
        out.append(c == '\'' ? 2 : 1, c);
    }
    return out + '\'';
}

std::string library_version() { return slc_version(); }

}  // namespace sluice::cassandra
