// Goal: the write protocol takes the right next step after every outcome. Method: a script of
// outcomes against the commands that must come.
#include <gtest/gtest.h>

#include <vector>

#include "sinks/postgres/protocol.hpp"

namespace sluice::postgres {
namespace {

StepResult ok() { return {}; }

StepResult failure(Action action, std::string code, bool lost = false) {
    StepResult result;
    result.ok = false;
    result.lost = lost;
    result.error.action = action;
    result.error.code = std::move(code);
    return result;
}

StepResult connection_lost() { return failure(Action::retry, {}, true); }

class Driven {
public:
    explicit Driven(std::size_t records, bool connected = true, Rules rules = {})
        : protocol_(records, rules), command_(protocol_.start(connected)) {}

    void expect(Step step) { EXPECT_EQ(command_.step, step); }
    void expect(Step step, std::size_t first, std::size_t count) {
        expect(step);
        EXPECT_EQ(command_.window.first, first);
        EXPECT_EQ(command_.window.count, count);
    }
    void expect_end(Verdict verdict) {
        expect(Step::finish);
        EXPECT_EQ(command_.verdict, verdict);
    }
    void give(const StepResult& result) { command_ = protocol_.on(result); }
    // Each of these steps, each of them ok.
    void pass(const std::vector<Step>& steps) {
        for (const auto step : steps) {
            ASSERT_EQ(command_.step, step);
            give(ok());
        }
    }
    [[nodiscard]] const Command& command() const { return command_; }

private:
    WriteProtocol protocol_;
    Command command_;
};

TEST(WriteProtocol, OffsetsThenRowsThenCommit) {
    Driven run(5);
    run.expect(Step::open, 0, 5);
    run.pass({Step::open, Step::write, Step::commit});
    run.expect_end(Verdict::committed);
}

TEST(WriteProtocol, AMissedCompareAndSetDropsTheBatch) {
    Driven run(5);
    StepResult missed;
    missed.all_matched = false;
    run.give(missed);
    run.expect(Step::roll_back);
    run.give(ok());
    run.expect_end(Verdict::fenced);
}

TEST(WriteProtocol, ACommitWithoutAnAnswerIsLookedUpAndNotGuessed) {
    for (const auto offsets : {Offsets::at_end, Offsets::at_start, Offsets::elsewhere}) {
        Driven run(5);
        run.pass({Step::open, Step::write});
        run.expect(Step::commit);
        run.give(connection_lost());
        run.pass({Step::pause, Step::reconnect});
        run.expect(Step::read_offsets);
        StepResult read;
        read.offsets = offsets;
        run.give(read);
        switch (offsets) {
            case Offsets::at_end:
                run.expect_end(Verdict::committed);
                break;
            case Offsets::at_start:
                run.pass({Step::open, Step::write, Step::commit});
                run.expect_end(Verdict::committed);
                break;
            case Offsets::elsewhere:
                run.expect_end(Verdict::fenced);
                break;
        }
    }
}

TEST(WriteProtocol, ACommitThatTheServerRefusedIsNotUnknown) {
    Driven run(5);
    run.pass({Step::open, Step::write});
    run.give(failure(Action::retry, "40001"));
    run.pass({Step::roll_back, Step::pause});
    run.expect(Step::open, 0, 5);
}

TEST(WriteProtocol, TheLookupItselfIsTriedUntilItAnswers) {
    Driven run(1);
    run.pass({Step::open, Step::write});
    run.give(connection_lost());
    run.pass({Step::pause});
    run.give(connection_lost());
    run.pass({Step::pause, Step::reconnect});
    run.give(failure(Action::retry, "55P03"));
    run.pass({Step::pause});
    run.expect(Step::read_offsets);
    run.give(connection_lost());
    run.pass({Step::pause, Step::reconnect});
    run.expect(Step::read_offsets);
}

TEST(WriteProtocol, ALostConnectionBeforeCommitStartsOver) {
    for (const int after : {0, 1}) {
        Driven run(3);
        for (int i = 0; i < after; ++i) {
            run.give(ok());
        }
        run.give(connection_lost());
        EXPECT_EQ(run.command().attempt, 1u);
        run.pass({Step::pause});
        run.give(connection_lost());
        EXPECT_EQ(run.command().attempt, 2u);
        run.pass({Step::pause, Step::reconnect});
        run.expect(Step::open, 0, 3);
    }
}

TEST(WriteProtocol, ATransientErrorIsRolledBackAndTriedAgain) {
    Driven run(3);
    run.pass({Step::open});
    run.give(failure(Action::retry, "40P01"));
    run.expect(Step::roll_back);
    run.give(ok());
    run.expect(Step::pause);
    EXPECT_EQ(run.command().error->code, "40P01");
    run.give(ok());
    run.expect(Step::open, 0, 3);
}

TEST(WriteProtocol, AStatementThatTookTooLongGetsHalf) {
    Driven run(8);
    run.pass({Step::open});
    run.give(failure(Action::retry, "57014"));
    run.pass({Step::roll_back, Step::pause});
    run.expect(Step::open, 0, 4);
    run.pass({Step::open, Step::write, Step::commit});
    run.expect(Step::open, 4, 4);
}

TEST(WriteProtocol, ARecordThatTheErrorNamesIsRejected) {
    Driven run(8);
    run.pass({Step::open});
    auto named = failure(Action::reject, "22001");
    named.record = 5;
    run.give(named);
    run.pass({Step::roll_back});
    run.expect_end(Verdict::rejected);
    EXPECT_EQ(run.command().record, 5u);
}

// The bad record is found by halves; whatever half goes through is committed.
TEST(WriteProtocol, ARecordThatNoErrorNamesIsFoundByHalving) {
    for (std::size_t records = 1; records <= 17; ++records) {
        for (std::size_t bad = 0; bad < records; ++bad) {
            Driven run(records);
            std::size_t committed = 0;
            for (int steps = 0; run.command().step != Step::finish; ++steps) {
                ASSERT_LT(steps, 500);
                const auto& window = run.command().window;
                const bool has_bad = bad >= window.first && bad < window.first + window.count;
                if (run.command().step == Step::write && has_bad) {
                    run.give(failure(Action::reject, "23502"));
                    continue;
                }
                if (run.command().step == Step::commit) {
                    ASSERT_EQ(window.first, committed);
                    committed += window.count;
                }
                run.give(ok());
            }
            run.expect_end(Verdict::rejected);
            EXPECT_EQ(run.command().record, bad);
            EXPECT_LE(committed, bad);
        }
    }
}

TEST(WriteProtocol, ABugStopsTheBatch) {
    Driven run(8);
    run.pass({Step::open});
    run.give(failure(Action::stop, "21000"));
    run.pass({Step::roll_back});
    run.expect_end(Verdict::refused);
    EXPECT_EQ(run.command().error->code, "21000");
}

TEST(WriteProtocol, ARollbackThatFailsCostsAReconnect) {
    Driven run(2);
    run.pass({Step::open});
    run.give(failure(Action::configure, "42P01"));
    run.expect(Step::roll_back);
    run.give(connection_lost());
    run.pass({Step::pause, Step::reconnect});
    run.expect(Step::open, 0, 2);
}

// The rollback before a verdict may cost the connection: what is left of the batch starts without.
TEST(WriteProtocol, ABatchThatBeginsWithoutAConnectionMakesOneFirst) {
    Driven run(2, false);
    run.expect(Step::reconnect);
    run.give(connection_lost());
    run.pass({Step::pause, Step::reconnect});
    run.expect(Step::open, 0, 2);
}

// A check constraint has refused record `record` of 100, and so many others may be tried.
StepResult refused_at(std::size_t record, std::size_t others) {
    auto refused = failure(Action::reject, "23514");
    refused.record = record;
    for (std::size_t i = 0; i < others; ++i) {
        refused.others.push_back(99 - i);
    }
    return refused;
}

// Without a witness it is not known whether any other would pass.
TEST(WriteProtocol, OneCodeForAllRecordsIsTheTablesFault) {
    Driven run(100);
    run.pass({Step::open});
    run.give(refused_at(3, 16));
    for (std::size_t probe = 0; probe < 16; ++probe) {
        run.pass({Step::roll_back});
        run.expect(Step::probe, 99 - probe, 1);
        run.give(failure(Action::reject, "23514"));
    }
    run.pass({Step::roll_back});
    run.expect_end(Verdict::alike);
}

// To where others are tried, before record 0 is blamed.
void refuse_the_first(Driven& run, std::size_t others = 16) {
    run.pass({Step::open});
    run.give(refused_at(0, others));
    run.pass({Step::roll_back});
    run.expect(Step::probe);
}

TEST(WriteProtocol, ARecordIsToBlameWhereAnotherPassesOrFailsOtherwise) {
    for (const auto& other : {ok(), failure(Action::reject, "22001")}) {
        Driven run(100);
        refuse_the_first(run);
        run.give(other);
        run.pass({Step::roll_back});
        run.expect_end(Verdict::rejected);
        EXPECT_EQ(run.command().record, 0u);
    }
}

TEST(WriteProtocol, AProbeThatMeetsTroubleBlamesNobody) {
    for (const auto& trouble : {connection_lost(), failure(Action::retry, "40001")}) {
        Driven run(100);
        refuse_the_first(run);
        run.give(trouble);
        run.pass(trouble.lost ? std::vector{Step::pause, Step::reconnect}
                              : std::vector{Step::roll_back, Step::pause});
        run.expect(Step::open, 0, 100);
    }
}

TEST(WriteProtocol, ALossBeforeTheOthersAreAskedBlamesNobody) {
    for (const int asked : {0, 1}) {
        Driven run(100);
        run.pass({Step::open});
        run.give(refused_at(0, 16));
        for (int i = 0; i < asked; ++i) {
            run.pass({Step::roll_back});
            run.give(failure(Action::reject, "23514"));
        }
        run.expect(Step::roll_back);
        run.give(connection_lost());
        run.pass({Step::pause, Step::reconnect});
        run.expect(Step::open, 0, 100);
    }
}

// What was to be tried for one verdict is not tried for another.
TEST(WriteProtocol, AProbeThatIsLostIsForgottenWhereTheBatchIsFenced) {
    Driven run(100);
    refuse_the_first(run);
    run.give(connection_lost());
    run.pass({Step::pause, Step::reconnect});
    StepResult missed;
    missed.all_matched = false;
    run.give(missed);
    run.pass({Step::roll_back});
    run.expect_end(Verdict::fenced);
}

TEST(WriteProtocol, AProbeThatMeetsABugEndsTheBatch) {
    Driven run(100);
    refuse_the_first(run);
    run.give(failure(Action::stop, "XX000"));
    run.pass({Step::roll_back});
    run.expect_end(Verdict::refused);
}

constexpr Rules in_doubt{.waits_in_doubt = true};

TEST(WriteProtocol, AWitnessNeedsNoOthers) {
    Driven run(100, true, in_doubt);
    run.pass({Step::open});
    auto refused = refused_at(5, 0);
    refused.witnessed = true;
    run.give(refused);
    run.pass({Step::roll_back});
    run.expect_end(Verdict::rejected);
}

// Of a trigger that refuses all, the first record must not become a dead letter.
TEST(WriteProtocol, WithTooFewOthersADoubtfulErrorBlamesNobody) {
    for (const std::size_t others : {0U, 1U, 15U}) {
        Driven run(100, true, in_doubt);
        run.pass({Step::open});
        run.give(refused_at(0, others));
        for (std::size_t i = 0; i < others; ++i) {
            run.pass({Step::roll_back});
            run.expect(Step::probe);
            run.give(failure(Action::reject, "23514"));
        }
        run.pass({Step::roll_back});
        run.expect_end(Verdict::doubtful);
        EXPECT_EQ(run.command().record, 0U);
    }
}

TEST(WriteProtocol, OneOtherThatPassesEndsTheDoubt) {
    Driven run(100, true, in_doubt);
    refuse_the_first(run, 1);
    run.give(ok());
    run.pass({Step::roll_back});
    run.expect_end(Verdict::rejected);
}

TEST(WriteProtocol, AValueThatIsWrongWhateverTheTableSaysIsNotDoubted) {
    Driven run(100, true, in_doubt);
    run.pass({Step::open});
    auto refused = refused_at(0, 3);
    refused.error.code = "22003";
    run.give(refused);
    run.pass({Step::roll_back});
    run.expect_end(Verdict::rejected);
}

// The window that failed is not the batch's first.
TEST(WriteProtocol, ATableFaultBehindCommittedRecordsLeavesThem) {
    Driven run(100, true, {.window_max = 40});
    run.pass({Step::open, Step::write, Step::commit, Step::open});
    run.give(refused_at(40, 16));
    for (int probe = 0; probe < 16; ++probe) {
        run.pass({Step::roll_back});
        run.give(failure(Action::reject, "23514"));
    }
    run.pass({Step::roll_back});
    run.expect_end(Verdict::alike);
    EXPECT_EQ(run.command().window.first, 40U);
}

TEST(WriteProtocol, WindowsGrowWithEachThatGoesThrough) {
    Driven run(100, true, {.window_max = 16});
    for (const auto& [first, count] : {std::pair{0U, 16U}, {16U, 32U}, {48U, 52U}}) {
        run.expect(Step::open, first, count);
        run.pass({Step::open, Step::write, Step::commit});
    }
    run.expect_end(Verdict::committed);
}

}  // namespace
}  // namespace sluice::postgres
