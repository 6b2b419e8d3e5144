// Goal: an error is laid at the right door by its SQLSTATE.
#include <gtest/gtest.h>

#include "sinks/postgres/sqlstate.hpp"
#include "sinks/postgres/statements.hpp"

namespace sluice::postgres {
namespace {

TEST(Sqlstate, WhoseFaultAnErrorIs) {
    struct Case {
        std::string_view state;
        std::string_view constraint;
        Action action;
    };
    const std::vector<Case> cases{
        {"22001", "", Action::reject},     {"23505", "k", Action::reject},
        {"23514", "c", Action::reject},    {"23514", "", Action::configure},
        {"23503", "f", Action::configure}, {"22P03", "", Action::configure},
        {"22P04", "", Action::configure},  {"42P01", "", Action::configure},
        {"0A000", "", Action::configure},  {"25006", "", Action::retry},
        {"26000", "", Action::retry},      {"40001", "", Action::retry},
        {"", "", Action::retry},           {"21000", "", Action::stop},
    };
    for (const auto& [state, constraint, action] : cases) {
        EXPECT_EQ(action_for(state, constraint), action) << state;
    }
    EXPECT_TRUE(needs_reconnect("25006"));
    EXPECT_FALSE(needs_reconnect("40001"));
}

TEST(Sqlstate, TextsThatMayQuoteAValueAreReplaced) {
    for (const auto* state : {"22003", "22999", "23502", "23999", "P0001"}) {
        EXPECT_FALSE(without_values(state, {}).empty()) << state;
    }
    EXPECT_TRUE(without_values("42P01", {}).empty());
}

TEST(Sqlstate, ARowWithoutAPartitionIsToldFromAFailedCheck) {
    EXPECT_EQ(without_values("23514", ""), "no partition of the table takes the row");
    EXPECT_EQ(without_values("23514", "positive"), "a check constraint refused the row");
    EXPECT_NE(hint_for("23514", ""), hint_for("23514", "positive"));
}

TEST(Sqlstate, ANullInAColumnThatNothingFillsIsTheTablesFault) {
    TablePlan plan;
    plan.columns.emplace_back().name = "ours";
    for (const auto* column : {"ours", "another", ""}) {
        Failure failure;
        failure.error.code = "23502";
        failure.error.action = Action::reject;
        failure.column = column;
        blame_table(plan, failure);
        const bool theirs = failure.column == "another";
        EXPECT_EQ(failure.error.action, theirs ? Action::configure : Action::reject) << column;
    }
}

}  // namespace
}  // namespace sluice::postgres
