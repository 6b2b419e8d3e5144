#include "sinks/cassandra/flow.hpp"

#include <algorithm>
#include <tuple>

#include "base/check.hpp"

namespace sluice::cassandra {
namespace {

constexpr std::size_t spare_max = 8;

bool is_dead(const LoadPtr& load) { return !load->chunk.has_live(); }

const auto position_of = [](const auto& rejection) {
    return std::tuple(rejection.partition, rejection.offset);
};

}  // namespace

Flow::Flow(std::size_t routes, std::size_t sending_max, Backoff backoff, Bury bury,
           std::size_t alike_bytes_max)
    : sending_max_(sending_max),
      alike_bytes_max_(alike_bytes_max),
      routes_(routes),
      backoff_(std::move(backoff)),
      bury_(std::move(bury)) {}

void Flow::add(LoadPtr load) {
    load->counted = load->chunk.bytes();
    bytes_ += load->counted;
    all_.push_back(load);
    report_durable(*load);  // Records without rows.
    if (is_dead(load)) {
        finish(load);
        return;
    }
    const std::uint32_t route = load->chunk.route();
    RouteState& state = routes_[route];
    const bool parks = state.fault && state.fault->told;
    (parks ? state.parked : queue_).push_back(std::move(load));
    if (parks && state.fault->fetched) {
        tell(route, *state.fault, state.fault->error, true);
    }
}

LoadPtr Flow::take_back(std::uint32_t route, std::size_t bytes_max) {
    const auto found = std::find_if(queue_.rbegin(), queue_.rend(), [&](const LoadPtr& load) {
        return load->chunk.route() == route;
    });
    if (found == queue_.rend()) {
        return nullptr;
    }
    LoadPtr load = *found;
    if (load->alone || load->route_probe || load->chunk.bytes() > bytes_max) {
        return nullptr;
    }
    queue_.erase(std::next(found).base());
    std::erase(all_, load);
    bytes_ -= load->counted;
    return load;
}

LoadPtr Flow::next(TimePoint now) {
    if (sending_ >= sending_max_ || (database_ && !may_probe_database(now)) || queue_.empty()) {
        return nullptr;
    }
    LoadPtr load = std::move(queue_.front());
    queue_.pop_front();
    load->chunk.list(load->alone);
    check(!load->chunk.wire().empty(), "what is queued has rows to send");
    load->sending = true;
    load->sent_at = outcomes_;
    ++sending_;
    if (database_) {
        load->database_probe = true;
        ++database_->probes;
    }
    return load;
}

void Flow::done(const LoadPtr& load, const WriteOutcome& outcome, TimePoint now) {
    check(load->sending, "an outcome belongs to a chunk under way");
    load->sending = false;
    --sending_;
    ++outcomes_;
    counts_.batches += outcome.failures.size() < load->chunk.wire().size() ? 1 : 0;
    settle_passed(*load, outcome);
    Verdict verdict = judge(*load, outcome);
    bury(*load, verdict);
    report_durable(*load);
    reject(std::move(verdict.rejections));
    if (verdict.database) {
        database_failed(*load, *verdict.database, now);
    } else if (std::exchange(load->database_probe, false)) {
        database_passed();
    }
    put_back(load, verdict, now);
    sweep();
    end_idle_faults();
}

// Where a chunk goes that came back.
void Flow::put_back(const LoadPtr& load, const Verdict& verdict, TimePoint now) {
    const bool open = !is_dead(load);
    load->alone = load->alone || verdict.isolate;
    if (verdict.table) {
        if (open) {
            park(load);
        }
        route_failed(*load, verdict, now);
    } else {
        const bool undecided = verdict.database || verdict.isolate;
        if (load->route_probe && (!undecided || !open)) {
            end_probe(*load, !verdict.database, now);
        }
        if (open) {
            queue_.push_front(load);
        }
    }
    if (!open) {
        finish(load);
    }
}

void Flow::note_blame(const Rejection& rejection) {
    if (rejection.blamed_by) {
        ++state_of(*rejection.blamed_by).blamed;
    }
}

// What is left in the verdict afterwards stops its partition.
void Flow::bury(Load& load, Verdict& verdict) {
    if (!bury_) {
        return;
    }
    auto rejections = std::exchange(verdict.rejections, {});
    std::ranges::sort(rejections, {}, position_of);
    const auto repeated = std::ranges::unique(rejections, {}, position_of);
    rejections.erase(repeated.begin(), repeated.end());
    for (auto& rejection : rejections) {
        if (rejection.letter) {
            verdict.rejections.push_back(std::move(rejection));
            continue;
        }
        auto buried = bury_(load.chunk, rejection.piece, rejection.offset, rejection.error);
        if (buried) {
            note_blame(rejection);
            events_.emplace_back(Buried{std::move(rejection.error)});
        } else if (buried.error().action == Action::retry) {
            verdict.database = std::move(buried).error();
            return;
        } else {
            verdict.rejections.push_back(std::move(rejection));
        }
    }
}

// One a partition: its first record that failed.
void Flow::reject(std::vector<Rejection> rejections) {
    std::ranges::sort(rejections, {}, position_of);
    const TopicPartition* last = nullptr;
    for (auto& rejection : rejections) {
        if (std::exchange(last, rejection.partition) == rejection.partition) {
            continue;
        }
        note_blame(rejection);
        for (const auto& load : all_) {
            for (std::uint32_t p = 0; p < load->chunk.pieces().size(); ++p) {
                if (load->chunk.pieces()[p].partition == rejection.partition) {
                    load->chunk.cut(p, rejection.offset);
                }
            }
            report_durable(*load);
        }
        events_.emplace_back(Rejected{*rejection.partition, rejection.offset, rejection.clock,
                                      std::move(rejection.error)});
    }
}

void Flow::refuse(const TopicPartition& partition, const Error& error) {
    for (const auto& load : all_) {
        for (auto& piece : load->chunk.pieces()) {
            piece.live = piece.live && piece.partition != &partition;
        }
    }
    Error refused = error;
    refused.where = partition.to_string();
    events_.emplace_back(Refused{partition, std::move(refused)});
}

void Flow::report_durable(Load& load) {
    for (auto& piece : load.chunk.pieces()) {
        if (piece.live && piece.open == 0) {
            piece.live = false;
            if (piece.from < piece.to) {
                Durable durable{.range = {*piece.partition, piece.from, piece.to},
                                .rows = piece.rows};
                for (const auto& letter : piece.letters) {
                    ++durable.dead_letters[letter.reason];
                }
                events_.emplace_back(std::move(durable));
            }
        }
    }
}

void Flow::drop(const TopicPartition& partition) {
    for (const auto& load : all_) {
        for (auto& piece : load->chunk.pieces()) {
            piece.live = piece.live && *piece.partition != partition;
        }
    }
    sweep();
    end_idle_faults();
}

void Flow::discard_events(const TopicPartition& partition) {
    std::erase_if(events_, [&](const DestinationEvent& event) {
        if (const auto* durable = std::get_if<Durable>(&event)) {
            return durable->range.partition == partition;
        }
        if (const auto* rejected = std::get_if<Rejected>(&event)) {
            return rejected->partition == partition;
        }
        const auto* refused = std::get_if<Refused>(&event);
        return refused != nullptr && refused->partition == partition;
    });
}

// Takes out what has nothing left to send.
void Flow::sweep() {
    const auto take_out = [this](std::deque<LoadPtr>& loads) {
        for (const auto& load : loads) {
            if (is_dead(load)) {
                auto& fault = routes_[load->chunk.route()].fault;
                if (std::exchange(load->route_probe, false) && fault && fault->probes > 0) {
                    --fault->probes;
                }
                finish(load);
            }
        }
        std::erase_if(loads, is_dead);
    };
    take_out(queue_);
    for (auto& route : routes_) {
        take_out(route.parked);
    }
}

// While the database is away no table is read: a route's time that is past must not keep the
// caller from waiting.
std::optional<TimePoint> Flow::due() const {
    if (database_) {
        return can_probe_database() ? std::optional(database_->due) : std::nullopt;
    }
    std::optional<TimePoint> first;
    for (const auto& [fault, parked] : routes_) {
        if (fault && fault->probes == 0 && (!first || fault->due < *first)) {
            first = fault->due;
        }
    }
    return first;
}

WaitingBytes Flow::waiting() const {
    std::size_t aside = 0;
    for (const auto& route : routes_) {
        // While more of a route is fetched, it takes of the room.
        aside += route.fault && route.fault->fetched ? 0 : parked_bytes(route);
    }
    return {.moving = bytes_ - aside, .aside = aside};
}

std::size_t Flow::parked_bytes(const RouteState& route) const {
    std::size_t sum = 0;
    for (const auto& load : route.parked) {
        sum += load->counted;
    }
    return sum;
}

bool Flow::busy() const {
    return std::ranges::any_of(all_, [](const LoadPtr& load) { return !is_dead(load); });
}

bool Flow::busy_with(std::span<const TopicPartition> partitions) const {
    return std::ranges::any_of(all_, [&](const LoadPtr& load) {
        return std::ranges::any_of(load->chunk.pieces(), [&](const Piece& piece) {
            return piece.live &&
                   std::ranges::find(partitions, *piece.partition) != partitions.end();
        });
    });
}

void Flow::finish(LoadPtr load) {
    if (load->sending) {
        return;  // done() comes.
    }
    bytes_ -= load->counted;
    std::erase(all_, load);
    if (spare_.size() < spare_max) {
        // Only memory has a next life: what was said of the rows that are gone has none.
        *load = Load{.chunk = std::move(load->chunk)};
        load->chunk.start(0, 0);
        spare_.push_back(std::move(load));
    }
}

LoadPtr Flow::take_spare() {
    if (spare_.empty()) {
        return nullptr;
    }
    LoadPtr load = std::move(spare_.back());
    spare_.pop_back();
    return load;
}

}  // namespace sluice::cassandra
