#include "sinks/postgres/sqlstate.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::postgres {
namespace {

using namespace std::string_view_literals;

bool is_transient(std::string_view state) {
    static constexpr std::array exact{"25006"sv, "25P03"sv, "55P03"sv, "57014"sv, "57P01"sv,
                                      "57P02"sv, "57P03"sv, "57P04"sv, "57P05"sv};
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

}  // namespace

Action action_for(std::string_view state, std::string_view constraint) {
    // 08P01 is a protocol violation, 21000 a key twice in one statement: both are our own bugs.
    if (state == "08P01" || state == "21000" || state.starts_with("XX")) {
        return Action::stop;
    }
    if (state == "23503" || (state == "23514" && constraint.empty())) {
        return Action::configure;
    }
    if (state.empty() || is_transient(state)) {
        return Action::retry;
    }
    return is_record(state) ? Action::reject : Action::configure;
}

std::string_view hint_for(std::string_view state) {
    static constexpr std::array hints{
        std::pair{"28P01"sv, "check user and password (postgres.user, postgres.password)"sv},
        std::pair{"28000"sv, "check postgres.user and the server's pg_hba.conf"sv},
        std::pair{"3D000"sv, "check the database name in postgres.url, or create the database"sv},
        std::pair{"3F000"sv, "create the schema, or correct the table's name"sv},
        std::pair{"42P01"sv, "create the table, or correct its name"sv},
        std::pair{"42703"sv, "the table's columns have changed: correct them and restart"sv},
        std::pair{"42501"sv, "grant the privilege to the role that sluice uses"sv},
        std::pair{"42P10"sv, "the upsert key needs a unique index over exactly its columns"sv},
        std::pair{"53300"sv, "the server has no connection left: raise max_connections, or lower "
                             "postgres.pool"sv},
        std::pair{"53100"sv, "the server's disk is full"sv},
        std::pair{"23503"sv, "the row that the foreign key refers to is missing"sv},
        std::pair{"23514"sv, "no partition of the table takes the row, or a check refuses it"sv},
    };
    const auto found = std::ranges::find(hints, state, &decltype(hints)::value_type::first);
    return found == hints.end() ? std::string_view{} : found->second;
}

}  // namespace sluice::postgres
