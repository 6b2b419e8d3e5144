#include "simulator/directed.hpp"

namespace sluice::sim {
namespace {

using Wrong = std::optional<std::string>;

constexpr std::int64_t some_day = 1'700'000'000'000;
constexpr std::int64_t hour = 3'600'000;

// What happens at a process's nth request of a kind, counted from when it was said.
class Script {
public:
    explicit Script(History& history) {
        history.own_world.director = [this](Process& process, std::string_view op) {
            return decide(process, op);
        };
    }
    void at(int process, std::string_view op, int nth, std::function<Fate(Process&)> what) {
        rules_.push_back({process, std::string(op), nth, std::move(what)});
    }
    void freeze_at(int process, std::string_view op, int nth, std::int64_t wait_ms) {
        at(process, op, nth, [wait_ms](Process& frozen) {
            world->tell("process {} freezes for {} ms", frozen.number, wait_ms);
            world->scheduler.freeze(frozen, ms(wait_ms));
            return Fate::done;
        });
    }

private:
    struct Rule {
        int process;
        std::string op;
        int left;
        std::function<Fate(Process&)> what;
    };

    Fate decide(Process& process, std::string_view op) {
        Fate fate = Fate::done;
        // What happens may add rules.
        for (std::size_t i = 0; i < rules_.size(); ++i) {
            Rule& rule = rules_[i];
            if (rule.process == process.number && rule.op == op && --rule.left == 0) {
                fate = std::function(rule.what)(process);
            }
        }
        return fate;
    }

    std::vector<Rule> rules_;
};

void until_committed(History& history, std::int32_t partition, std::int64_t next) {
    history.until("a commit", [&history, partition, next] {
        const auto commit = history.broker.commits.find(partition);
        return commit != history.broker.commits.end() && commit->second.next &&
               commit->second.next->value() >= next;
    });
}

// The partition that the group has given to this process; it has none before.
std::int32_t until_given(History& history, const Running& running) {
    history.until("a partition for the process",
                  [&] { return !history.broker.owned_by(running.process).empty(); });
    return *history.broker.owned_by(running.process).begin();
}

void until_frozen(History& history, const Running& running) {
    history.until("the freeze",
                  [&] { return running.process.frozen_until > history.own_world.scheduler.now(); });
}

// The process stands still at its nth request of this kind until its partition is another one's.
void freeze_until_replaced(History& history, Script& script, const Running& running,
                           std::string_view op, int nth) {
    // The thaw comes before it hears that it was expelled.
    history.broker.lost_after = ms(5'000);
    script.freeze_at(running.process.number, op, nth, 20'000);
    until_frozen(history, running);
    history.until("another owner",
                  [&] { return history.broker.owned_by(running.process).empty(); });
}

void until_thawed(History& history, const Running& running) {
    history.until("the thaw", [&] {
        return running.process.frozen_until <= history.own_world.scheduler.now();
    });
}

// An owner that was frozen before it read the clocks thaws when another partition's has run ahead,
// writes one record and is gone. Whoever took the largest clock would write it where nothing that
// follows outbids it.
Wrong late_reader(History& history) {
    Script script(history);
    history.begin(2);
    history.produce(0, "key0", "1", some_day);
    history.produce(1, "key1", "1", some_day);
    (void)history.start();
    until_committed(history, 0, 1);
    until_committed(history, 1, 1);
    Running& late = history.start();
    const std::int32_t moved = until_given(history, late);
    const std::string key = "key" + std::to_string(moved);
    freeze_until_replaced(history, script, late, "kafka.served", 1);
    history.produce(1 - moved, "ahead", "1", some_day + 24 * hour);
    until_committed(history, 1 - moved, 2);
    until_thawed(history, late);
    history.produce(moved, key, "2", some_day);
    history.advance(1'500);
    history.kill(late);
    history.produce(moved, key, "3", some_day);
    until_committed(history, moved, 3);
    return history.finish();
}

// The same for a partition that is new: the late reader has read that there is no pair, nor a copy
// of one, is held up for less than it waits, and reads the others' clocks when they have run ahead
// of where its successor began. That it was expelled it hears last of all.
Wrong late_reader_of_a_new_partition(History& history) {
    Script script(history);
    history.begin(1);
    history.produce(0, "other", "1", some_day);
    (void)history.start();
    until_committed(history, 0, 1);
    Running& late = history.start();
    history.advance(2'000);
    history.broker.grow();
    (void)until_given(history, late);
    history.broker.lost_after = ms(30'000);
    const int number = late.process.number;
    script.at(number, "cassandra.query", 1, [&script, number](Process&) {
        script.freeze_at(number, "kafka.describe", 1, 4'500);
        return Fate::done;
    });
    until_frozen(history, late);
    history.broker.expel_process(late.process);
    history.produce(1, "key", "1", some_day);
    history.until("the first row of the new partition",
                  [&] { return history.cassandra.wrote("key"); });
    history.produce(0, "ahead", "1", some_day + 24 * hour);
    until_committed(history, 0, 2);
    history.advance(8'000);
    history.kill(late);
    history.produce(1, "key", "2", some_day);
    until_committed(history, 1, 2);
    return history.finish();
}

// A key goes from one new partition to the next one before any process has seen either.
Wrong two_new_partitions(History& history) {
    Script script(history);
    history.begin(1);
    history.produce(0, "other", "1", some_day);
    Running& first = history.start();
    until_committed(history, 0, 1);
    history.kill(first);
    history.broker.grow();
    history.produce(1, "key", "1", some_day + hour);
    history.produce(1, "key", "2", some_day + hour);
    history.broker.grow();
    history.produce(2, "key", "3", some_day);
    return history.finish();
}

// Somebody who is no owner sets the group's commit back, while a new partition waits for it.
Wrong commit_set_back(History& history) {
    Script script(history);
    history.begin(1);
    history.produce(0, "key", "1", some_day);
    (void)history.start();
    until_committed(history, 0, 1);
    const kafka::Committed before = history.broker.commits.at(0);
    history.produce(0, "key", "2", some_day);
    until_committed(history, 0, 2);
    history.broker.commits.at(0) = before;
    history.broker.grow();
    until_committed(history, 1, 0);
    return history.finish();
}

// The commit that raises the bound of a compacted topic's clock is lost, and so are those without
// an answer. Their sender dies when it has written, and the log is compacted meanwhile.
Wrong bound_lost(History& history) {
    Script script(history);
    history.broker.compacted = true;
    history.cassandra.times_change = true;
    history.begin(1);
    const auto lost = [](Process&) { return Fate::request_lost; };
    script.at(1, "kafka.commit", 1, lost);
    for (int nth = 1; nth <= 10; ++nth) {
        script.at(1, "kafka.commit_async", nth, lost);
    }
    for (int i = 0; i < 5; ++i) {
        history.produce(0, "other", std::to_string(i), some_day);
    }
    history.produce(0, "key", "1", some_day);
    Running& first = history.start();
    history.until("its first row", [&] { return history.cassandra.wrote("key"); });
    history.kill(first);
    history.produce(0, "key", "2", some_day);
    history.broker.log.compact(0, history.broker.log.partitions[0].end);
    return history.finish();
}

// One of two first starts stands still at some request of its own, until the other has written:
// what it asked before says that nothing is there, what it asks then that something is.
Wrong two_first_starts(History& history, std::string_view op, int nth) {
    Script script(history);
    history.begin(2);
    history.produce(0, "key", "1", some_day);
    script.freeze_at(1, op, nth, 6'000);
    (void)history.start();
    (void)history.start();
    until_committed(history, 0, 1);
    history.advance(10'000);
    return history.finish();
}

// An owner stands still at some request of a batch's transaction. The group gives its partition to
// another, who ends the session that holds the offset; then the old one goes on.
Wrong zombie_in_a_transaction(History& history, std::string_view op, int nth) {
    Script script(history);
    history.begin(1);
    history.produce(0, "key", "1", some_day);
    Running& zombie = history.start();
    history.until("its first rows", [&] { return history.postgres.next_of(0) == 1; });
    script.freeze_at(zombie.process.number, op, nth, 25'000);
    history.produce(0, "key", std::nullopt, some_day);
    history.produce(0, "key", "2", some_day);
    (void)history.start();
    history.advance(40'000);
    return history.finish();
}

}  // namespace

const std::vector<Directed>& directed_schedules() {
    static const std::vector<Directed> all = [] {
        std::vector<Directed> list{
            {"late_reader", Database::cassandra, late_reader},
            {"late_reader_of_a_new_partition", Database::cassandra, late_reader_of_a_new_partition},
            {"two_new_partitions", Database::cassandra, two_new_partitions},
            {"commit_set_back", Database::cassandra, commit_set_back},
            {"bound_lost", Database::cassandra, bound_lost}};
        // Which request is the one that matters, a change of the program may change.
        for (int nth = 1; nth <= 30; ++nth) {
            list.push_back(
                {"two_first_starts_" + std::to_string(nth), Database::cassandra,
                 [nth](History& own) { return two_first_starts(own, "cassandra.query", nth); }});
        }
        for (const std::string_view op :
             {"postgres.begin", "postgres.copy", "postgres.write", "postgres.commit"}) {
            for (int nth = 1; nth <= 3; ++nth) {
                list.push_back(
                    {fmt::format("zombie_at_{}_{}", op, nth), Database::postgres,
                     [op, nth](History& own) { return zombie_in_a_transaction(own, op, nth); }});
            }
        }
        return list;
    }();
    return all;
}

}  // namespace sluice::sim
