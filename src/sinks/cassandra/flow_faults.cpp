// Flow's faults: when they begin, what tries whether they have passed, and when they end.
#include <algorithm>
#include <iterator>

#include "base/check.hpp"
#include "sinks/cassandra/flow.hpp"

namespace sluice::cassandra {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t route_probes_max = 2;

// Lets neighbours pass, and the nodes agree on a schema that has just changed.
std::chrono::milliseconds refusal_wait(unsigned refusals) { return refusals <= 1 ? 200ms : 2s; }

}  // namespace

void Flow::database_failed(Load& load, const Error& error, TimePoint now) {
    const bool probe = std::exchange(load.database_probe, false);
    if (database_ && !probe) {
        return;  // Was under way when the fault began.
    }
    const bool changed = !database_ || database_->error.code != error.code;
    if (!database_) {
        database_ = Fault{};
    }
    database_->error = error;
    database_->probes = 0;
    database_->due = now + backoff_(++database_->attempts);
    ++counts_.retries[retry_class(error)];
    if (changed) {
        events_.emplace_back(Waiting{error, std::nullopt});
    }
}

bool Flow::can_probe_database() const {
    return database_->probes == 0 && sending_ < sending_max_ &&
           (!queue_.empty() || std::ranges::any_of(routes_, [](const RouteState& route) {
               return !route.parked.empty();
           }));
}

// Where faults of tables have parked everything, a parked chunk must do: it tells at least that
// the database answers.
bool Flow::may_probe_database(TimePoint now) {
    if (!can_probe_database() || now < database_->due) {
        return false;
    }
    for (auto route = routes_.begin(); queue_.empty() && route != routes_.end(); ++route) {
        if (!route->parked.empty()) {
            queue_.push_back(std::move(route->parked.front()));
            route->parked.pop_front();
        }
    }
    return true;
}

void Flow::database_passed() {
    if (database_) {
        database_.reset();
        events_.emplace_back(Waiting{});
    }
}

void Flow::route_failed(Load& load, const Verdict& verdict, TimePoint now) {
    const std::uint32_t route = load.chunk.route();
    auto& fault = routes_[route].fault;
    const bool fresh = !fault;
    if (fresh) {
        fault = Fault{};
        fault->error = *verdict.table;
    }
    if (verdict.certain) {
        tell(route, *fault, *verdict.table, verdict.alike);
    }
    const bool probe = std::exchange(load.route_probe, false) && fault->probes > 0;
    fault->probes -= probe ? 1 : 0;
    if (fault->probes > 0 || (!fresh && !probe)) {
        return;
    }
    if (fault->passed) {
        end_route_fault(route);
        return;
    }
    ++counts_.retries[retry_class(*verdict.table)];
    fault->due = now +
                 (load.refusals > 0 ? refusal_wait(load.refusals) : backoff_(++fault->attempts));
}

void Flow::end_probe(Load& load, bool passed, TimePoint now) {
    load.route_probe = false;
    auto& fault = routes_[load.chunk.route()].fault;
    if (!fault || fault->probes == 0) {
        return;  // Ended meanwhile, because nothing of the route was left.
    }
    fault->passed = fault->passed || passed;
    if (--fault->probes > 0) {
        return;
    }
    if (fault->passed) {
        end_route_fault(load.chunk.route());
    } else {
        fault->due = now + backoff_(++fault->attempts);
    }
}

void Flow::end_route_fault(std::uint32_t route) {
    RouteState& state = routes_[route];
    const bool told = state.fault && state.fault->told;
    if (told) {
        events_.emplace_back(Waiting{std::nullopt, route});
    }
    state.fault.reset();
    while (!state.parked.empty()) {
        LoadPtr load = std::move(state.parked.back());
        state.parked.pop_back();
        // What the table's fault said of its rows counts no longer. While nobody blamed the table
        // it was a record's, and what passed beside the others' rows still speaks for the table.
        if (told) {
            load->alone = false;
            load->refusals = 0;
            load->refused_at = 0;
            load->refused_before = 0;
            load->confirmations = 0;
        }
        queue_.push_front(std::move(load));
    }
}

void Flow::tell(std::uint32_t route, Fault& fault, Error error, bool alike) {
    const bool fetched = alike && parked_bytes(routes_[route]) < alike_bytes_max_;
    const bool changed = !fault.told || fault.error.code != error.code ||
                         fault.error.detail != error.detail || fault.fetched != fetched;
    fault.error = std::move(error);
    fault.told = true;
    fault.fetched = fetched;
    if (!changed) {
        return;
    }
    events_.emplace_back(Waiting{fault.error, route, fetched});
    const auto ours = [&](const LoadPtr& load) {
        return load->chunk.route() == route && !load->route_probe;
    };
    std::ranges::copy_if(queue_, std::back_inserter(routes_[route].parked), ours);
    std::erase_if(queue_, ours);
}

// What was tried most often stays in front, what has just come behind.
void Flow::park(LoadPtr load) {
    auto& parked = routes_[load->chunk.route()].parked;
    const auto behind = std::ranges::find_if(
        parked, [&](const LoadPtr& other) { return other->confirmations <= load->confirmations; });
    parked.insert(behind, std::move(load));
}

std::optional<std::uint32_t> Flow::stale(TimePoint now) const {
    for (std::uint32_t r = 0; r < routes_.size() && !database_; ++r) {
        const auto& fault = routes_[r].fault;
        if (fault && fault->probes == 0 && fault->due <= now) {
            return r;
        }
    }
    return std::nullopt;
}

void Flow::refreshed(std::uint32_t route, std::optional<Error> wrong, TimePoint now) {
    RouteState& state = routes_[route];
    check(state.fault.has_value(), "only a route with a fault is read again");
    if (wrong) {
        ++counts_.retries[retry_class(*wrong)];
        if (wrong->action != Action::retry) {
            tell(route, *state.fault, std::move(*wrong), false);
        }
        state.fault->due = now + backoff_(++state.fault->attempts);
        return;
    }
    state.fault->passed = false;
    // The second is the one tried least: all of them have their turn.
    while (state.fault->probes < route_probes_max && !state.parked.empty()) {
        const bool newest = state.fault->probes > 0;
        LoadPtr load = std::move(newest ? state.parked.back() : state.parked.front());
        newest ? state.parked.pop_back() : state.parked.pop_front();
        load->route_probe = true;
        ++load->confirmations;
        ++state.fault->probes;
        queue_.push_front(std::move(load));
    }
    if (state.fault->probes == 0) {
        end_route_fault(route);
    }
}

// With nothing left to try, a fault is over: else the lane would fetch nothing, and nothing
// would ever be tried.
void Flow::end_idle_faults() {
    const auto waits = [&](std::optional<std::uint32_t> route) {
        return std::ranges::any_of(all_, [&](const LoadPtr& load) {
            return load->chunk.has_live() && (!route || load->chunk.route() == *route);
        });
    };
    if (!waits(std::nullopt)) {
        database_passed();
    }
    for (std::uint32_t r = 0; r < routes_.size(); ++r) {
        if (routes_[r].fault && !waits(r)) {
            end_route_fault(r);
        }
    }
}

}  // namespace sluice::cassandra
