#include "sinks/postgres/libpq.hpp"

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

// Messages of the classes 22 and 23 may quote a value behind a colon ('… type json: "x"').
std::string without_value(std::string_view message) {
    return std::string(message.substr(0, message.find(": \"")));
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

}  // namespace

std::string one_line(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\n' || c == '\t') {
            if (!out.empty() && out.back() != ' ') {
                out.push_back(' ');
            }
        } else {
            out.push_back(c);
        }
    }
    while (!out.empty() && out.back() == ' ') {
        out.pop_back();
    }
    return out;
}

Failure lost(std::string_view op, std::string detail) {
    return {.error = {.action = Action::retry,
                      .op = std::string(op),
                      .where = {},
                      .code = {},
                      .detail = std::move(detail),
                      .hint = {}},
            .copy_line = {},
            .column = {},
            .lost = true};
}

Failure from_result(std::string_view op, const PGresult* result, bool connection_lost) {
    const auto state = field(result, PG_DIAG_SQLSTATE);
    const auto constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
    Failure failure;
    failure.lost = connection_lost;
    failure.error.action = action_for(state, constraint);
    failure.error.op = op;
    failure.error.code = state;
    const bool may_quote = failure.error.action == Action::reject;
    const auto primary = field(result, PG_DIAG_MESSAGE_PRIMARY);
    failure.error.detail = primary.empty() ? one_line(PQresultErrorMessage(result))
                           : may_quote     ? without_value(primary)
                                           : one_line(primary);
    failure.error.hint = hint_for(state);
    failure.column = field(result, PG_DIAG_COLUMN_NAME);
    read_copy_context(field(result, PG_DIAG_CONTEXT), failure);
    return failure;
}

// A failed connection attempt has no PGresult, hence no SQLSTATE, before libpq 17: the text is
// all there is. The words are those of PostgreSQL's src/backend/libpq/auth.c and postinit.c.
Failure from_connect(const PGconn* connection) {
    Failure failure = lost("postgres.connect", one_line(PQerrorMessage(connection)));
    const std::string_view text = failure.error.detail;
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> known{{
        {"password authentication failed", "28P01"},
        {"no password supplied", "28P01"},
        {"no pg_hba.conf entry", "28000"},
        {"role \"", "28000"},
        {"database \"", "3D000"},
        {"certificate", "28000"},
    }};
    for (const auto& [words, state] : known) {
        if (text.find(words) != std::string_view::npos &&
            text.find("starting up") == std::string_view::npos) {
            failure.error.action = Action::configure;
            failure.error.code = state;
            failure.error.hint = hint_for(state);
            break;
        }
    }
    return failure;
}

}  // namespace sluice::postgres
