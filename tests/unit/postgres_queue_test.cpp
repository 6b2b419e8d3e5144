// Goal: what the lane and its writers hand to each other outlives no acquisition that is over, and
// the lane hears of a wait once.
#include <gtest/gtest.h>

#include "sinks/postgres/waits.hpp"
#include "sinks/postgres/work_queue.hpp"

namespace sluice::postgres {
namespace {

using namespace std::chrono_literals;

const TopicPartition here{"topic", PartitionId{0}};
const TopicPartition there{"topic", PartitionId{1}};

Acquire acquire(std::uint64_t epoch, const TopicPartition& partition = here) {
    return {.request = {.partition = partition, .topic_id = {}, .beginning = {}, .next = {}},
            .epoch = epoch};
}

Piece piece(std::uint64_t epoch) {
    Piece made;
    made.partition = here;
    made.epoch = epoch;
    made.from = Offset{0};
    made.to = Offset{1};
    return made;
}

class Queue : public testing::Test {
protected:
    Outbox outbox_{Bytes{1}, 1};
    WorkQueue queue_{outbox_};
};

// A table has got columns in between.
TEST_F(Queue, ABatchHoldsWhatIsEncodedAlike) {
    const auto before = std::make_shared<const std::vector<TablePlan>>();
    const auto after = std::make_shared<const std::vector<TablePlan>>();
    for (const auto& plans : {before, before, after}) {
        Piece next = piece(1);
        next.plans = plans;
        queue_.push(std::move(next));
    }
    auto batch = queue_.take_batch(1 << 20);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->pieces().size(), 2U);
    EXPECT_TRUE(batch->closed());
    queue_.put_back(*std::move(batch), Deadline::in(1h), true);
    EXPECT_FALSE(queue_.take_batch(1));
    Piece more = piece(1);
    more.plans = after;
    more.records = 1;
    queue_.push(std::move(more));  // More has come, and yet no more for this batch.
    batch = queue_.take_batch(1 << 20);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->pieces().size(), 2U);
    EXPECT_TRUE(batch->closed());
    queue_.done(0);
    batch = queue_.take_batch(1 << 20);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->pieces().size(), 2U);
    EXPECT_EQ(batch->pieces().front().plans, after);
    EXPECT_FALSE(batch->closed());
}

// The writer holds the acquisition while it asks the server, and hands it back when that failed.
TEST_F(Queue, AnAcquisitionThatWasReleasedMeanwhileIsNotTakenBack) {
    ASSERT_TRUE(queue_.push(acquire(1)));
    auto held = queue_.take_acquire();
    ASSERT_TRUE(held);
    queue_.clear(here, 1, Deadline::in(0ms));
    EXPECT_FALSE(queue_.push(std::move(*held)));
    EXPECT_TRUE(queue_.push(acquire(2)));
    EXPECT_FALSE(queue_.push(acquire(1)));
}

TEST_F(Queue, TheEndOfAnOldEpochLeavesTheNewOneAlone) {
    ASSERT_TRUE(queue_.push(acquire(2)));
    queue_.push(piece(2));
    queue_.close_epoch(here, 1);
    ASSERT_TRUE(queue_.take_acquire());
    ASSERT_TRUE(queue_.take_batch(1));
    queue_.close_epoch(here, 2);
    queue_.close_epoch(here, 1);
    EXPECT_FALSE(queue_.push(acquire(2))) << "an epoch once closed stays closed";
}

TEST_F(Queue, AnAcquisitionThatWaitsKeepsNothingElseWaiting) {
    Acquire later = acquire(1);
    later.due = Deadline::in(1h);
    ASSERT_TRUE(queue_.push(later));
    ASSERT_TRUE(queue_.push(acquire(1, there)));
    queue_.push(piece(1));
    ASSERT_TRUE(queue_.wait());
    EXPECT_EQ(queue_.take_acquire()->request.partition, there);
    EXPECT_FALSE(queue_.take_acquire());
    EXPECT_TRUE(queue_.take_batch(1));
}

Piece filled(std::uint32_t route) {
    Piece made = piece(1);
    made.route = route;
    made.tables.resize(1);
    made.tables[0].bytes = "bytes";
    return made;
}

// The room is of one byte: anything that counts fills it.
TEST_F(Queue, WhatWaitsForItsTableTakesNoRoomAndIsWaitedForUntilGivenUp) {
    const auto room = [this] { return outbox_.wait_for_room(Deadline::in(0ms)); };
    queue_.push(filled(0));
    queue_.push(filled(0));
    auto batch = queue_.take_batch(1);
    ASSERT_TRUE(batch);
    EXPECT_FALSE(room());
    queue_.suspend({*std::move(batch), WriteProtocol(1), Deadline::in(0ms)});
    EXPECT_TRUE(room());
    EXPECT_TRUE(queue_.busy());
    queue_.push(filled(0));
    EXPECT_TRUE(room()) << "nor what is queued behind it";
    queue_.push(filled(1));
    EXPECT_FALSE(room()) << "another route counts";
    ASSERT_TRUE(queue_.take_batch(1));
    queue_.done(filled(1).bytes());
    EXPECT_TRUE(room());

    auto resumed = queue_.take_resumed(1);
    ASSERT_TRUE(resumed);
    EXPECT_FALSE(room());
    queue_.suspend(std::move(*resumed));
    queue_.close_epoch(here, 1);
    EXPECT_TRUE(room());
    EXPECT_FALSE(queue_.busy()) << "nobody waits for what was given up";
}

TEST_F(Queue, ABatchThatIsPutBackKeepsItsRoomAndWaitsForMore) {
    const auto room = [this] { return outbox_.wait_for_room(Deadline::in(0ms)); };
    queue_.push(filled(0));
    auto batch = queue_.take_batch(1);
    ASSERT_TRUE(batch);
    queue_.put_back(*std::move(batch), Deadline::in(1h), true);
    EXPECT_FALSE(queue_.take_batch(1));
    EXPECT_FALSE(room());
    EXPECT_TRUE(queue_.busy());
    Piece more = filled(0);
    more.records = 1;
    more.from = Offset{1};
    more.to = Offset{2};
    queue_.push(std::move(more));
    const auto both = queue_.take_batch(1000);
    ASSERT_TRUE(both);
    ASSERT_EQ(both->pieces().size(), 2U);
    EXPECT_EQ(both->pieces()[0].from, Offset{0});

    queue_.put_back(*both, Deadline::in(1h), true);
    queue_.close_epoch(here, 1);
    EXPECT_TRUE(room());
    EXPECT_FALSE(queue_.busy());
}

TEST_F(Queue, ABatchWhoseRecordsFailedAlikeWaitsItsTime) {
    queue_.push(filled(0));
    auto batch = queue_.take_batch(1);
    ASSERT_TRUE(batch);
    queue_.put_back(*std::move(batch), Deadline::in(300ms), false);
    Piece more = filled(0);
    more.records = 1;
    queue_.push(std::move(more));
    EXPECT_FALSE(queue_.take_batch(1000))
        << "a table that refuses everything is not asked at each poll";
    ASSERT_TRUE(queue_.wait());
    ASSERT_EQ(queue_.take_batch(1000)->pieces().size(), 2U);
}

// Else a large record would stay alone, and nothing would ever tell whose fault its error is.
TEST_F(Queue, AfterADoubtTheNextBatchHasEnoughRecordsHoweverLargeTheyAre) {
    Piece first = filled(0);
    first.records = 1;
    queue_.push(std::move(first));
    auto batch = queue_.take_batch(1);
    ASSERT_TRUE(batch);
    queue_.put_back(*std::move(batch), Deadline::in(1h), true);
    for (std::size_t i = 0; i < 2 * others_max; ++i) {
        Piece more = filled(0);
        more.records = 1;
        queue_.push(std::move(more));
    }
    const auto next = queue_.take_batch(1);
    ASSERT_TRUE(next);
    EXPECT_EQ(next->records(), others_max + 1);
    queue_.done(next->bytes());
    EXPECT_EQ(queue_.take_batch(1)->records(), 1U) << "without a doubt the bytes count";
}

// A piece of dead letters that a topic takes has no rows.
TEST_F(Queue, AfterADoubtRecordsWithoutRowsAreNotEnough) {
    queue_.push(filled(0));
    auto batch = queue_.take_batch(1);
    ASSERT_TRUE(batch);
    queue_.put_back(*std::move(batch), Deadline::in(1h), true);
    for (std::size_t i = 0; i < 2 * others_max; ++i) {
        queue_.push(filled(0));
    }
    Piece more = filled(0);
    more.records = 1;
    queue_.push(std::move(more));
    EXPECT_EQ(queue_.take_batch(1)->pieces().size(), 2 * others_max + 2);
}

TEST_F(Queue, ABatchThatIsPutBackAfterItsEpochsEndIsDropped) {
    queue_.push(filled(0));
    auto batch = queue_.take_batch(1);
    ASSERT_TRUE(batch);
    queue_.close_epoch(here, 1);
    queue_.put_back(*std::move(batch), Deadline::in(0ms), true);
    EXPECT_FALSE(queue_.busy());
    EXPECT_TRUE(outbox_.wait_for_room(Deadline::in(0ms)));
    EXPECT_FALSE(queue_.take_batch(1));
}

// In doubt, and with no room for more: what can tell whose fault the error is, is there already.
TEST_F(Queue, ABatchThatBeginsAnewComesWithWhatIsQueuedBehindIt) {
    queue_.push(filled(0));
    auto batch = queue_.take_batch(1);
    ASSERT_TRUE(batch);
    queue_.push(filled(0));
    queue_.push(filled(1));
    queue_.suspend({*std::move(batch), std::nullopt, Deadline::in(0ms)});
    const auto resumed = queue_.take_resumed(1);
    ASSERT_TRUE(resumed);
    EXPECT_EQ(resumed->batch.pieces().size(), 2U);
    queue_.done(resumed->batch.bytes());
    EXPECT_FALSE(queue_.holds(0));
    EXPECT_TRUE(queue_.holds(1));
    EXPECT_EQ(outbox_.waiting().aside, 0U);
    EXPECT_EQ(outbox_.waiting().moving, filled(1).bytes());
}

// Its partitions have moved away: nobody waits for the table any more, and nothing is tried on.
TEST_F(Queue, ABatchThatWaitsForItsTableIsDroppedWithItsLastPartition) {
    for (std::uint64_t epoch = 1; epoch <= 2; ++epoch) {
        const bool closed_first = epoch == 2;
        Piece made = filled(0);
        made.epoch = epoch;
        queue_.push(std::move(made));
        auto batch = queue_.take_batch(1);
        ASSERT_TRUE(batch);
        if (closed_first) {
            queue_.close_epoch(here, epoch);
        }
        EXPECT_TRUE(queue_.holds(0));
        queue_.suspend({*std::move(batch), WriteProtocol(1), Deadline::in(0ms)});
        if (!closed_first) {
            EXPECT_TRUE(queue_.holds(0));
            queue_.close_epoch(here, epoch);
        }
        EXPECT_FALSE(queue_.holds(0));
        EXPECT_FALSE(queue_.holds(std::nullopt));
        EXPECT_FALSE(queue_.take_resumed(1));
        EXPECT_EQ(outbox_.waiting().aside, 0U);
        EXPECT_EQ(outbox_.waiting().moving, 0U);
    }
}

// Else each table that can't be written would hold as much memory again.
TEST(Outbox, WhatIsSetAsideTakesRoomFromTheRestButForAShare) {
    Outbox outbox(Bytes{1600}, 2);
    const auto room = [&] { return outbox.wait_for_room(Deadline::in(0ms)); };
    outbox.occupy_aside(1000);
    outbox.occupy(599);
    EXPECT_TRUE(room());
    outbox.occupy(1);
    EXPECT_FALSE(room());
    outbox.occupy_aside(5000);
    outbox.vacate(501);
    EXPECT_TRUE(room()) << "a sixteenth stays, for one of two routes an eighth of the half";
    outbox.occupy(1);
    EXPECT_FALSE(room());
    outbox.vacate_aside(6000);
    EXPECT_TRUE(room());
}

class Waiters : public testing::Test {
protected:
    static Error error(std::string detail) {
        return {.action = Action::retry,
                .op = "op",
                .where = {},
                .code = {},
                .detail = std::move(detail),
                .hint = {}};
    }
    // What the lane hears: reasons, and "goes on".
    std::vector<std::string> heard() {
        std::vector<std::string> out;
        for (const auto& event : outbox_.take()) {
            const auto& waiting = std::get<Waiting>(event);
            out.push_back((waiting.error ? waiting.error->detail : "goes on") +
                          (waiting.for_records ? ", fetched" : ""));
        }
        return out;
    }
    using Heard = std::vector<std::string>;

    Outbox outbox_{Bytes{1}, 1};
    Waits waits_{outbox_};
};

TEST_F(Waiters, OneThatRecoversDoesNotEndTheWaitOfAnother) {
    waits_.begin("a", 0, error("no table"));
    waits_.begin("b", 0, error("no table"));
    EXPECT_EQ(heard(), Heard{"no table"});
    waits_.end("a", 0);
    EXPECT_EQ(heard(), Heard{});
    waits_.end("b", 0);
    EXPECT_EQ(heard(), Heard{"goes on"});
    waits_.end("b", 0);
    EXPECT_EQ(heard(), Heard{});
}

TEST_F(Waiters, ARouteIsFetchedWhereAllThatWaitWithItWaitForItsRecords) {
    waits_.begin("a", 0, error("in doubt"), true);
    EXPECT_EQ(heard(), Heard{"in doubt, fetched"});
    waits_.begin("b", 0, error("no table"));
    EXPECT_EQ(heard(), Heard{"no table"});
    waits_.begin("a", 0, error("still in doubt"), true);
    EXPECT_EQ(heard(), Heard{"still in doubt"});
    waits_.end("b", 0);
    EXPECT_EQ(heard(), Heard{"still in doubt, fetched"});
    waits_.end("a", 0);
    EXPECT_EQ(heard(), Heard{"goes on"});
}

// A run that is to end goes by it: for a lock it waits, for a table that must be mended it does
// not.
TEST_F(Waiters, OfThoseThatAreLeftAReasonIsHeard) {
    waits_.begin("a", 0, error("no partition"));
    waits_.begin("b", 0, error("locked"));
    EXPECT_EQ(heard(), (Heard{"no partition", "locked"}));
    waits_.end("b", 0);
    EXPECT_EQ(heard(), Heard{"no partition"});
    waits_.begin("b", 0, error("locked"));
    waits_.begin("b", 0, error("no partition"));
    EXPECT_EQ(heard(), (Heard{"locked", "no partition"}));
}

TEST_F(Waiters, RoutesAndTheLaneWaitApart) {
    waits_.begin("a", 0, error("no table"));
    waits_.begin("a", std::nullopt, error("no server"));
    waits_.begin("a", 1, error("no column"));
    waits_.begin("a", 1, error("no privilege"));
    EXPECT_EQ(heard(), (Heard{"no table", "no server", "no column", "no privilege"}));
    waits_.end("a", std::nullopt);
    EXPECT_EQ(heard(), Heard{"goes on"});
}

}  // namespace
}  // namespace sluice::postgres
