// Goal: the offset and clock arithmetic, against a naive model where there is one.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "commit/clock.hpp"
#include "commit/durable.hpp"
#include "commit/metadata.hpp"
#include "commit/start.hpp"

namespace sluice::commit {
namespace {

TEST(WriteClock, FollowsTheRecordsTimeAndNeverStandsStill) {
    WriteClock clock;
    EXPECT_EQ(clock.tick(1000).value(), 1'000'000);
    EXPECT_EQ(clock.tick(1000).value(), 1'000'001);
    EXPECT_EQ(clock.tick(999).value(), 1'000'002);
    EXPECT_EQ(clock.tick(2000).value(), 2'000'000);
}

TEST(WriteClock, TimesOutsideOf1970To2200CountAsAbsent) {
    constexpr std::int64_t year_2200_ms = 7'258'118'400'000;
    WriteClock clock(ClockMicros{50});
    EXPECT_EQ(clock.tick(std::nullopt).value(), 51);
    EXPECT_EQ(clock.tick(-1).value(), 52);
    EXPECT_EQ(clock.tick(year_2200_ms).value(), 53);
    EXPECT_EQ(clock.tick(std::numeric_limits<std::int64_t>::max()).value(), 54);
    EXPECT_EQ(clock.tick(year_2200_ms - 1).value(), (year_2200_ms - 1) * 1000);
}

TEST(WriteClock, AReplayFromTheStoredPairGivesTheSameTimestamps) {
    const std::vector<std::optional<std::int64_t>> log{5, 3, {}, 9, 9, 2};
    WriteClock first;
    std::vector<ClockMicros> given;
    std::vector<ClockMicros> last{first.last()};
    for (const auto& time : log) {
        given.push_back(first.tick(time));
        last.push_back(first.last());
    }
    for (std::size_t from = 0; from <= log.size(); ++from) {
        WriteClock again(last[from]);
        for (std::size_t i = from; i < log.size(); ++i) {
            EXPECT_EQ(again.tick(log[i]), given[i]) << "record " << i << " replayed from " << from;
        }
    }
}

Pair pair(std::int64_t next, std::int64_t clock) { return {Offset{next}, ClockMicros{clock}}; }

TEST(DurablePrefix, AdvancesOnlyOverRangesThatAreAllDurable) {
    DurablePrefix prefix(pair(10, 100));
    prefix.delivered(Offset{10}, Offset{20}, ClockMicros{200});
    prefix.delivered(Offset{20}, Offset{35}, ClockMicros{300});
    prefix.delivered(Offset{35}, Offset{36}, ClockMicros{400});
    prefix.durable(Offset{20}, Offset{35});
    EXPECT_EQ(prefix.position(), pair(10, 100));
    prefix.durable(Offset{10}, Offset{20});
    EXPECT_EQ(prefix.position(), pair(35, 300));
    EXPECT_FALSE(prefix.complete());
    prefix.durable(Offset{35}, Offset{36});
    EXPECT_EQ(prefix.position(), pair(36, 400));
    EXPECT_TRUE(prefix.complete());
}

TEST(DurablePrefix, ARangeDurableInPartsCountsWhenItsLastPartIs) {
    DurablePrefix prefix(pair(0, 0));
    prefix.delivered(Offset{0}, Offset{10}, ClockMicros{7});
    prefix.durable(Offset{0}, Offset{4});
    EXPECT_EQ(prefix.position(), pair(0, 0));
    prefix.durable(Offset{4}, Offset{10});
    EXPECT_EQ(prefix.position(), pair(10, 7));
}

TEST(DurablePrefix, AMarkerBehindTheLastRecordIsPassedAtOnce) {
    DurablePrefix prefix(pair(10, 100));
    prefix.passed(Offset{12});
    EXPECT_EQ(prefix.position(), pair(12, 100));
    EXPECT_TRUE(prefix.complete());
    prefix.delivered(Offset{10}, Offset{20}, ClockMicros{200});
    prefix.durable(Offset{10}, Offset{20});
    EXPECT_EQ(prefix.position(), pair(20, 200));
}

TEST(DurablePrefix, AMarkerBehindAnOpenRangeIsPassedWithIt) {
    DurablePrefix prefix(pair(10, 100));
    prefix.delivered(Offset{10}, Offset{20}, ClockMicros{200});
    prefix.passed(Offset{22});
    EXPECT_EQ(prefix.position(), pair(10, 100));
    prefix.delivered(Offset{20}, Offset{30}, ClockMicros{300});
    prefix.durable(Offset{10}, Offset{20});
    EXPECT_EQ(prefix.position(), pair(22, 200));
    prefix.durable(Offset{20}, Offset{30});
    EXPECT_EQ(prefix.position(), pair(30, 300));
    EXPECT_TRUE(prefix.complete());
}

TEST(DurablePrefix, AgreesWithANaiveModelInAnyOrder) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    for (int round = 0; round < 300; ++round) {
        struct Range {
            std::int64_t from, to;
        };
        std::vector<Range> ranges;
        DurablePrefix prefix(pair(0, 0));
        std::int64_t next = 0;
        for (int i = 0; i < 20; ++i) {
            const auto to = next + 1 + static_cast<std::int64_t>(random() % 5);
            ranges.push_back({next, to});
            prefix.delivered(Offset{next}, Offset{to}, ClockMicros{to * 10});
            next = to;
        }
        std::vector<std::size_t> order(ranges.size());
        std::iota(order.begin(), order.end(), 0);
        std::ranges::shuffle(order, random);
        std::vector<bool> done(ranges.size(), false);
        for (const auto index : order) {
            done[index] = true;
            prefix.durable(Offset{ranges[index].from}, Offset{ranges[index].to});
            const auto open = std::ranges::find(done, false);
            const std::int64_t expected =
                open == done.end() ? next
                                   : ranges[static_cast<std::size_t>(open - done.begin())].from;
            ASSERT_EQ(prefix.position(), pair(expected, expected * 10));
        }
    }
}

// A record that the server refuses, amid what was delivered with it.
TEST(DurablePrefix, IsCutBeforeARecordThatWillNeverBeDurable) {
    for (const bool cut_first : {true, false}) {
        DurablePrefix prefix(pair(0, 0));
        prefix.delivered(Offset{0}, Offset{10}, ClockMicros{100});
        prefix.delivered(Offset{10}, Offset{20}, ClockMicros{200});
        prefix.delivered(Offset{20}, Offset{30}, ClockMicros{300});
        prefix.durable(Offset{20}, Offset{30});
        if (cut_first) {
            prefix.cut(pair(14, 139));
        }
        prefix.durable(Offset{10}, Offset{14});
        if (!cut_first) {
            prefix.cut(pair(14, 139));
        }
        EXPECT_EQ(prefix.position(), pair(0, 0));
        prefix.durable(Offset{0}, Offset{10});
        EXPECT_EQ(prefix.position(), pair(14, 139));
        EXPECT_TRUE(prefix.complete());
    }
}

Metadata some_metadata() {
    return {.database = *parse_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            .topic = *parse_uuid("6ba7b811-9dad-11d1-80b4-00c04fd430c8"),
            .clock = ClockMicros{1517363399650001},
            .start = "earliest"};
}

TEST(Metadata, ComesBackAsItWas) {
    auto metadata = some_metadata();
    EXPECT_EQ(parse_metadata(to_text(metadata)), metadata);
    metadata.stored = Offset{17};
    EXPECT_EQ(parse_metadata(to_text(metadata)), metadata);
    metadata.clock.reset();
    EXPECT_EQ(parse_metadata(to_text(metadata)), metadata);
    metadata.stored.reset();
    metadata.start = "2026-01-02T03:04:05Z";
    EXPECT_EQ(parse_metadata(to_text(metadata)), metadata);
    EXPECT_LT(to_text(some_metadata()).size(), 200u);
}

TEST(Metadata, OfSomebodyElseIsNone) {
    for (const auto* text : {"", "consumer-1", "sluice-1", "sluice-1 db=x topic=y start=z",
                             "sluice-2 db=6ba7b810-9dad-11d1-80b4-00c04fd430c8"}) {
        EXPECT_FALSE(parse_metadata(text)) << text;
    }
    EXPECT_FALSE(parse_metadata(to_text(some_metadata()) + "0x"));
    EXPECT_FALSE(parse_metadata(to_text(some_metadata()) + " more"));
}

GroupCommit group_commit(std::int64_t next, std::int64_t clock) {
    Metadata metadata = some_metadata();
    metadata.clock = ClockMicros{clock};
    return {Offset{next}, metadata};
}

TEST(Start, APresentPairIsTheTruth) {
    const auto start = start_known({.group = group_commit(7, 70), .stored = pair(9, 90)});
    ASSERT_TRUE(start);
    EXPECT_EQ(start->pair, pair(7, 70));
    EXPECT_FALSE(start->commit_first);
}

TEST(Start, TheDatabasesCopyCountsWhereTheMetadataIsGoneAndIsCommittedFirst) {
    const auto reset_by_a_tool = start_known(
        {.group = GroupCommit{Offset{0}, std::nullopt}, .stored = pair(9, 90)});
    ASSERT_TRUE(reset_by_a_tool);
    EXPECT_EQ(reset_by_a_tool->pair, pair(9, 90));
    EXPECT_TRUE(reset_by_a_tool->commit_first);
    EXPECT_FALSE(start_known({}));
}

TEST(Start, ANewPartitionWaitsForTheOthersAndTakesTheLargestClock) {
    std::vector<Other> others{{group_commit(5, 500), Offset{5}}, {group_commit(3, 900), Offset{4}}};
    EXPECT_FALSE(start_new(Offset{2}, others));
    others[1].group = group_commit(4, 950);
    const auto start = start_new(Offset{2}, others);
    ASSERT_TRUE(start);
    EXPECT_EQ(start->pair, pair(2, 950));
    EXPECT_TRUE(start->commit_first);
}

}  // namespace
}  // namespace sluice::commit
