#include "sinks/postgres/libpq.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "sinks/postgres/sqlstate.hpp"

namespace sluice::postgres {
namespace {

std::string_view field(const PGresult* result, int code) {
    const char* text = PQresultErrorField(result, code);
    return text == nullptr ? std::string_view{} : std::string_view(text);
}

// What the error is about, without the values that the server's own text may quote in any
// language.
std::string described(std::string_view what, const PGresult* result) {
    std::string out(what);
    if (const auto constraint = field(result, PG_DIAG_CONSTRAINT_NAME); !constraint.empty()) {
        out.append(" (constraint ").append(constraint).append(")");
    }
    return out;
}

// "column orders.id", "table orders", or nothing.
std::string place_of(std::string_view table, std::string_view column) {
    if (!column.empty()) {
        return "column " + std::string(table) + (table.empty() ? "" : ".") + std::string(column);
    }
    return table.empty() ? std::string{} : "table " + std::string(table);
}

// What to look at where no server has answered.
std::string_view hint_when_lost(std::string_view op) {
    return op == "postgres.connect"
               ? "is PostgreSQL running at the address of postgres.url, and open to this machine?"
               : "tried again on a new connection";
}

// CONTEXT reads "COPY orders, line 3, column id: …"; the value behind the colon stays unread.
// A trigger's CONTEXT puts that line last.
void read_copy_context(std::string_view context, Failure& failure) {
    const auto copy = context.rfind("COPY ");
    if (copy == std::string_view::npos) {
        return;
    }
    std::string_view line = context.substr(copy);
    line = line.substr(0, line.find('\n'));
    constexpr std::string_view line_mark = ", line ";
    const auto at = line.find(line_mark);
    if (at == std::string_view::npos) {
        return;
    }
    line.remove_prefix(at + line_mark.size());
    std::uint64_t number = 0;
    const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (problem != std::errc{}) {
        return;
    }
    failure.copy_line = number;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    constexpr std::string_view column_mark = ", column ";
    if (line.starts_with(column_mark)) {
        line.remove_prefix(column_mark.size());
        failure.column = std::string(line.substr(0, line.find(':')));
    }
}

std::vector<std::string> split(std::string_view list) {
    std::vector<std::string> parts;
    while (true) {
        const auto comma = list.find(',');
        parts.emplace_back(list.substr(0, comma));
        if (comma == std::string_view::npos) {
            return parts;
        }
        list.remove_prefix(comma + 1);
    }
}

// As libpq pairs its lists: one port serves all hosts.
const std::string& nth(const std::vector<std::string>& parts, std::size_t index) {
    return parts[index < parts.size() ? index : parts.size() - 1];
}

}  // namespace

Servers servers_of(const std::string& url) {
    std::vector<std::string> hosts{""};
    std::vector<std::string> addresses{""};
    std::vector<std::string> ports{""};
    Servers servers;
    const ConninfoHandle options(PQconninfoParse(url.c_str(), nullptr));
    for (const auto* option = options.get(); option != nullptr && option->keyword != nullptr;
         ++option) {
        const std::string_view keyword = option->keyword;
        const std::string_view value = option->val == nullptr ? "" : option->val;
        if (keyword == "host") {
            hosts = split(value);
        } else if (keyword == "hostaddr") {
            addresses = split(value);
        } else if (keyword == "port") {
            ports = split(value);
        } else if (keyword == "connect_timeout") {
            int seconds = 0;
            std::from_chars(value.data(), value.data() + value.size(), seconds);
            servers.connect_timeout = std::chrono::seconds{std::max(seconds, 0)};
        }
    }
    for (std::size_t i = 0; i < std::max(hosts.size(), addresses.size()); ++i) {
        servers.list.push_back({nth(hosts, i), nth(addresses, i), nth(ports, i)});
    }
    return servers;
}

std::string one_line(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto end = text.find('\n');
        std::string line(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        std::ranges::replace(line, '\t', ' ');
        line.erase(0, line.find_first_not_of(' '));
        line.erase(line.find_last_not_of(' ') + 1);
        if (out.find(line) == std::string::npos) {
            out.append(out.empty() ? "" : " ").append(line);
        }
    }
    return out;
}

Failure lost(std::string_view op, std::string detail) {
    return {.error = {.action = Action::retry,
                      .op = std::string(op),
                      .where = {},
                      .code = {},
                      .detail = std::move(detail),
                      .hint = std::string(hint_when_lost(op))},
            .copy_line = {},
            .column = {},
            .lost = true};
}

Failure from_result(std::string_view op, const PGresult* result, bool connection_lost) {
    const auto state = field(result, PG_DIAG_SQLSTATE);
    const auto constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
    // PgBouncer says 08P01 for all that goes wrong between it and the server, and ends the
    // connection. A server always adds the place in its source.
    const bool of_pooler = state == "08P01" && field(result, PG_DIAG_SOURCE_FUNCTION).empty();
    Failure failure;
    failure.lost = connection_lost || of_pooler || needs_reconnect(state);
    failure.error.action = of_pooler ? Action::retry : action_for(state, constraint);
    failure.error.op = op;
    failure.error.code = state;
    const auto primary = field(result, PG_DIAG_MESSAGE_PRIMARY);
    // What a function says by itself may be about the row.
    const auto said_by = field(result, PG_DIAG_SOURCE_FUNCTION);
    const bool raised = said_by == "exec_stmt_raise" || said_by == "PLy_output";
    const auto own_words = without_values(raised ? "P0001" : std::string_view(state), constraint);
    failure.error.detail = !own_words.empty() ? described(own_words, result)
                           : primary.empty()  ? one_line(PQresultErrorMessage(result))
                                              : one_line(primary);
    failure.error.hint = hint_for(state, constraint);
    failure.column = field(result, PG_DIAG_COLUMN_NAME);
    read_copy_context(field(result, PG_DIAG_CONTEXT), failure);
    failure.error.where = place_of(field(result, PG_DIAG_TABLE_NAME), failure.column);
    return failure;
}

// A failed connection attempt has no PGresult, hence no SQLSTATE, before libpq 17: the text is
// all there is. The words are those of PostgreSQL's src/backend/libpq/auth.c and postinit.c.
Failure from_connect(const PGconn* connection) {
    Failure failure = lost("postgres.connect", one_line(PQerrorMessage(connection)));
    const std::string_view text = failure.error.detail;
    // PgBouncer's own words: it can't keep what the URL sets for a session.
    if (text.find("unsupported startup parameter") != std::string_view::npos) {
        failure.error.action = Action::configure;
        failure.error.hint = "take it out of postgres.url: a connection pooler does not pass it on";
        return failure;
    }
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> known{{
        {"password authentication failed", "28P01"},
        {"no password supplied", "28P01"},
        {"no pg_hba.conf entry", "28000"},
        {"role \"", "28000"},
        {"database \"", "3D000"},
        {"certificate", "28000"},
    }};
    constexpr std::array<std::string_view, 2> passing{"starting up", "too many connections"};
    const auto said = [&](std::string_view words) {
        return text.find(words) != std::string_view::npos;
    };
    for (const auto& [words, state] : known) {
        if (said(words) && std::ranges::none_of(passing, said)) {
            failure.error.action = Action::configure;
            failure.error.code = state;
            failure.error.hint = hint_for(state);
            break;
        }
    }
    return failure;
}

}  // namespace sluice::postgres
