#include "sinks/postgres/sqlstate.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::postgres {
namespace {

using namespace std::string_view_literals;

bool is_transient(std::string_view state) {
    static constexpr std::array exact{"25006"sv, "25P03"sv, "26000"sv, "42P05"sv,
                                      "55P03"sv, "57014"sv, "57P01"sv, "57P02"sv,
                                      "57P03"sv, "57P04"sv, "57P05"sv};
    static constexpr std::array classes{"08"sv, "40"sv, "53"sv, "58"sv};
    return std::ranges::find(exact, state) != exact.end() ||
           std::ranges::find(classes, state.substr(0, 2)) != classes.end();
}

bool is_record(std::string_view state) {
    static constexpr std::array exact{"44000"sv, "54000"sv, "54001"sv, "P0001"sv};
    static constexpr std::array classes{"22"sv, "23"sv};
    return std::ranges::find(exact, state) != exact.end() ||
           std::ranges::find(classes, state.substr(0, 2)) != classes.end();
}

bool lacks_partition(std::string_view state, std::string_view constraint) {
    return state == "23514" && constraint.empty();
}

}  // namespace

Action action_for(std::string_view state, std::string_view constraint) {
    // 08P01 is a protocol violation, 21000 a key twice in one statement: both are our own bugs.
    if (state == "08P01" || state == "21000" || state.starts_with("XX")) {
        return Action::stop;
    }
    if (state == "23503" || lacks_partition(state, constraint)) {
        return Action::configure;
    }
    // Binary values of another width or number than the columns': the table was changed.
    if (state == "22P03" || state == "22P04") {
        return Action::configure;
    }
    if (state.empty() || is_transient(state)) {
        return Action::retry;
    }
    return is_record(state) ? Action::reject : Action::configure;
}

bool may_be_tables_fault(std::string_view state) {
    static constexpr std::array states{"23502"sv, "23514"sv, "44000"sv, "P0001"sv};
    return std::ranges::find(states, state) != states.end();
}

bool needs_reconnect(std::string_view state) {
    return state == "25006" || state == "26000" || state == "42P05";
}

std::string_view without_values(std::string_view state, std::string_view constraint) {
    if (lacks_partition(state, constraint)) {
        return "no partition of the table takes the row";
    }
    static constexpr std::array words{
        std::pair{"22001"sv, "a text is too long for its column"sv},
        std::pair{"22003"sv, "a number is out of its column's range"sv},
        std::pair{"22008"sv, "a time is out of its column's range"sv},
        std::pair{"22012"sv, "a division by zero, in the table's own expressions"sv},
        std::pair{"22021"sv, "a text holds what the database's encoding lacks"sv},
        std::pair{"22P02"sv, "a text is no value of its column's type"sv},
        std::pair{"22P03"sv, "a value's binary format is not its column's"sv},
        std::pair{"22P04"sv, "the columns that were sent are not the table's"sv},
        std::pair{"22P05"sv, "a text holds what its column can't store"sv},
        std::pair{"23502"sv, "a null for a NOT NULL column"sv},
        std::pair{"23503"sv, "a foreign key finds no row to refer to"sv},
        std::pair{"23505"sv, "a unique key is there already"sv},
        std::pair{"23514"sv, "a check constraint refused the row"sv},
        std::pair{"23P01"sv, "an exclusion constraint refused the row"sv},
        std::pair{"P0001"sv, "a trigger or function of the table refused the row"sv},
    };
    const auto found = std::ranges::find(words, state, &decltype(words)::value_type::first);
    if (found != words.end()) {
        return found->second;
    }
    return state.starts_with("22")   ? "the server refused a value"sv
           : state.starts_with("23") ? "a constraint refused the row"sv
                                     : ""sv;
}

std::string_view hint_for(std::string_view state, std::string_view constraint) {
    if (lacks_partition(state, constraint)) {
        return "add the partition that the row belongs to";
    }
    static constexpr std::array hints{
        std::pair{"28P01"sv, "check user and password (postgres.user, postgres.password)"sv},
        std::pair{"28000"sv, "check postgres.user and the server's pg_hba.conf"sv},
        std::pair{"3D000"sv, "check the database name in postgres.url, or create the database"sv},
        std::pair{"3F000"sv, "create the schema, or correct the table's name"sv},
        std::pair{"42P01"sv, "create the table, or correct its name"sv},
        std::pair{"42703"sv, "the table's columns have changed: correct them and restart"sv},
        std::pair{"22003"sv,
                  "widen the column; of a jsonb column: make it json, which keeps any number"sv},
        std::pair{"22P03"sv, "the table's columns have changed: restart"sv},
        std::pair{"22P04"sv, "the table's columns have changed: restart"sv},
        std::pair{"0A000"sv, "the table does not take COPY: name an ordinary table, without rules "
                             "and row-level security"sv},
        std::pair{"25006"sv, "the server is read-only, a standby perhaps: name the primary in "
                             "postgres.url"sv},
        std::pair{"55P03"sv, "another session holds the lock: pg_locks tells which"sv},
        std::pair{
            "42501"sv,
            "grant the privilege to the role that sluice uses; row-level security takes BYPASSRLS"sv},
        std::pair{"42P10"sv, "the upsert key needs a unique index over exactly its columns"sv},
        std::pair{"53300"sv, "the server has no connection left: raise max_connections, or lower "
                             "postgres.pool"sv},
        std::pair{"53100"sv, "the server's disk is full"sv},
        std::pair{"23503"sv, "the row that the foreign key refers to is missing"sv},
        std::pair{"23514"sv, "change the constraint, or what is sent"sv},
    };
    const auto found = std::ranges::find(hints, state, &decltype(hints)::value_type::first);
    return found == hints.end() ? std::string_view{} : found->second;
}

}  // namespace sluice::postgres
