#include "sinks/postgres/work_queue.hpp"

#include <algorithm>

namespace sluice::postgres {

bool WorkQueue::closed(const TopicPartition& partition, std::uint64_t epoch) const {
    const auto closed = closed_epochs_.find(partition);
    return closed != closed_epochs_.end() && epoch <= closed->second;
}

bool WorkQueue::wanted(const Batch& batch) const {
    return std::ranges::any_of(batch.pieces(), [this](const Piece& piece) {
        return !closed(piece.partition, piece.epoch);
    });
}

bool WorkQueue::push(Acquire acquire) {
    const std::lock_guard lock(mutex_);
    if (closed(acquire.request.partition, acquire.epoch)) {
        return false;
    }
    acquires_.push_back(std::move(acquire));
    changed_.notify_all();
    return true;
}

void WorkQueue::push(Piece piece) {
    const std::lock_guard lock(mutex_);
    if (closed(piece.partition, piece.epoch)) {
        return;
    }
    if (suspended_.contains(piece.route)) {
        outbox_.occupy_aside(piece.bytes());
    } else {
        outbox_.occupy(piece.bytes());
    }
    if (piece.records > 0) {
        const auto waits = put_back_.find(piece.route);
        if (waits != put_back_.end() && waits->second.until_more) {
            waits->second.until = Deadline::in(std::chrono::milliseconds{0});
        }
    }
    pieces_[piece.route].push_back(std::move(piece));
    changed_.notify_all();
}

bool WorkQueue::waits(std::uint32_t route) const {
    const auto put_back = put_back_.find(route);
    return suspended_.contains(route) ||
           (put_back != put_back_.end() && !put_back->second.until.passed());
}

bool WorkQueue::moving(const std::function<bool(const TopicPartition&)>& which) const {
    const bool queued = std::ranges::any_of(pieces_, [&](const auto& entry) {
        return !waits(entry.first) && std::ranges::any_of(entry.second, which, &Piece::partition);
    });
    return queued || std::ranges::any_of(in_flight_, which);
}

void WorkQueue::clear(const TopicPartition& partition, std::uint64_t epoch, Deadline deadline) {
    std::unique_lock lock(mutex_);
    const auto ours = [&](const TopicPartition& moved) { return moved == partition; };
    changed_.wait_until(lock, deadline.at(), [&] { return ended_ || !moving(ours); });
    close(partition, epoch);
}

void WorkQueue::close_epoch(const TopicPartition& partition, std::uint64_t epoch) {
    const std::lock_guard lock(mutex_);
    close(partition, epoch);
}

void WorkQueue::close(const TopicPartition& partition, std::uint64_t epoch) {
    auto& last = closed_epochs_[partition];
    last = std::max(last, epoch);
    for (auto& [route, queue] : pieces_) {
        std::erase_if(queue, [&](const Piece& piece) {
            if (piece.partition != partition || piece.epoch > epoch) {
                return false;
            }
            if (suspended_.contains(route)) {
                outbox_.vacate_aside(piece.bytes());
            } else {
                outbox_.vacate(piece.bytes());
            }
            return true;
        });
    }
    std::erase_if(suspended_, [&](const auto& entry) {
        if (wanted(entry.second.batch)) {
            return false;
        }
        const std::size_t behind = queued_bytes(entry.first);
        outbox_.vacate_aside(entry.second.batch.bytes() + behind);
        outbox_.occupy(behind);
        return true;
    });
    std::erase_if(acquires_, [&](const Acquire& acquire) {
        return acquire.request.partition == partition && acquire.epoch <= epoch;
    });
    changed_.notify_all();
}

std::size_t WorkQueue::queued_bytes(std::uint32_t route) const {
    std::size_t sum = 0;
    if (const auto queue = pieces_.find(route); queue != pieces_.end()) {
        for (const auto& piece : queue->second) {
            sum += piece.bytes();
        }
    }
    return sum;
}

bool WorkQueue::busy() const {
    const std::lock_guard lock(mutex_);
    return !ended_ && holds_rows(std::nullopt);
}

bool WorkQueue::holds(std::optional<std::uint32_t> route) const {
    const std::lock_guard lock(mutex_);
    return holds_rows(route) || (!route && !acquires_.empty());
}

bool WorkQueue::holds_rows(std::optional<std::uint32_t> route) const {
    const auto of_route = [&](std::uint32_t other) { return !route || other == *route; };
    const bool queued = std::ranges::any_of(
        pieces_, [&](const auto& entry) { return of_route(entry.first) && !entry.second.empty(); });
    const bool waiting = std::ranges::any_of(
        suspended_, [&](const auto& entry) { return of_route(entry.first); });
    return queued || waiting || (!in_flight_.empty() && of_route(route_in_flight_));
}

void WorkQueue::drain(Deadline deadline) {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    end_ = deadline;
    changed_.notify_all();
}

void WorkQueue::wait_ended(Deadline deadline) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline.at(), [&] { return ended_; });
    cut_ = true;
    changed_.notify_all();
}

bool WorkQueue::has_work() const {
    const bool due = std::ranges::any_of(
        acquires_, [](const Acquire& acquire) { return acquire.due.passed(); });
    return due || std::ranges::any_of(pieces_, [&](const auto& entry) {
               return !entry.second.empty() && !waits(entry.first);
           });
}

Deadline WorkQueue::next_due() const {
    Deadline next = Deadline::in(std::chrono::hours{1});
    for (const auto& [route, suspended] : suspended_) {
        next = next.sooner(suspended.until);
    }
    for (const auto& [route, waits] : put_back_) {
        const auto queue = pieces_.find(route);
        if (queue != pieces_.end() && !queue->second.empty()) {
            next = next.sooner(waits.until);
        }
    }
    for (const auto& acquire : acquires_) {
        next = next.sooner(acquire.due);
    }
    return next;
}

bool WorkQueue::wait() {
    std::unique_lock lock(mutex_);
    while (true) {
        if (cut_ || (draining_ && end_.passed())) {
            return false;
        }
        const Deadline due = next_due();
        if (has_work() || (!draining_ && due.passed())) {
            return true;
        }
        // What waits for somebody to mend a table is not waited for at the end.
        if (draining_) {
            return false;
        }
        changed_.wait_until(lock, due.sooner(end_).at());
    }
}

std::optional<Acquire> WorkQueue::take_acquire() {
    const std::lock_guard lock(mutex_);
    const auto due = std::ranges::find_if(
        acquires_, [](const Acquire& acquire) { return acquire.due.passed(); });
    if (due == acquires_.end()) {
        return std::nullopt;
    }
    Acquire acquire = std::move(*due);
    acquires_.erase(due);
    return acquire;
}

std::size_t WorkQueue::suspended() const {
    const std::lock_guard lock(mutex_);
    return suspended_.size();
}

void WorkQueue::fill(Batch& batch, std::size_t bytes_max, bool in_doubt) {
    auto& queue = pieces_[batch.route()];
    std::size_t records = 0;  // With rows: the others tell nothing.
    for (const auto& piece : batch.pieces()) {
        records += piece.records;
    }
    const auto takes_more = [&] {
        return batch.empty() || batch.bytes() < bytes_max || (in_doubt && records <= others_max);
    };
    while (!queue.empty() && takes_more()) {
        if (!batch.takes(queue.front())) {
            batch.close();
            break;
        }
        records += queue.front().records;
        in_flight_.push_back(queue.front().partition);
        batch.add(std::move(queue.front()));
        queue.pop_front();
    }
}

std::optional<Suspended> WorkQueue::take_resumed(std::size_t bytes_max) {
    const std::lock_guard lock(mutex_);
    const auto due = std::ranges::find_if(
        suspended_, [](const auto& entry) { return entry.second.until.passed(); });
    if (due == suspended_.end()) {
        return std::nullopt;
    }
    Suspended resumed = std::move(due->second);
    suspended_.erase(due);
    const std::size_t bytes = resumed.batch.bytes() + queued_bytes(resumed.batch.route());
    outbox_.vacate_aside(bytes);
    outbox_.occupy(bytes);
    route_in_flight_ = resumed.batch.route();
    for (const auto& piece : resumed.batch.pieces()) {
        in_flight_.push_back(piece.partition);
    }
    if (!resumed.protocol) {
        fill(resumed.batch, bytes_max, true);
    }
    return resumed;
}

std::optional<Batch> WorkQueue::take_batch(std::size_t bytes_max) {
    const std::lock_guard lock(mutex_);
    const auto ready = [&](const auto& entry) {
        return !entry.second.empty() && !waits(entry.first);
    };
    auto chosen = std::find_if(pieces_.upper_bound(last_route_), pieces_.end(), ready);
    if (chosen == pieces_.end()) {
        chosen = std::find_if(pieces_.begin(), pieces_.end(), ready);
    }
    if (chosen == pieces_.end()) {
        return std::nullopt;
    }
    last_route_ = chosen->first;
    route_in_flight_ = last_route_;
    const bool in_doubt = put_back_.erase(last_route_) > 0;
    Batch batch(chosen->first);
    fill(batch, bytes_max, in_doubt);
    return batch;
}

void WorkQueue::done(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    in_flight_.clear();
    outbox_.vacate(bytes);
    changed_.notify_all();
}

void WorkQueue::suspend(Suspended suspended) {
    const std::lock_guard lock(mutex_);
    in_flight_.clear();
    const std::uint32_t route = suspended.batch.route();
    if (wanted(suspended.batch)) {
        const std::size_t bytes = suspended.batch.bytes() + queued_bytes(route);
        outbox_.occupy_aside(bytes);
        outbox_.vacate(bytes);
        suspended_.insert_or_assign(route, std::move(suspended));
    } else {
        outbox_.vacate(suspended.batch.bytes());
    }
    changed_.notify_all();
}

void WorkQueue::put_back(Batch batch, Deadline until, bool until_more) {
    const std::lock_guard lock(mutex_);
    in_flight_.clear();
    const std::uint32_t route = batch.route();
    auto& queue = pieces_[route];
    auto pieces = std::move(batch).take();
    for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
        if (closed(piece->partition, piece->epoch)) {
            outbox_.vacate(piece->bytes());
        } else {
            queue.push_front(std::move(*piece));
        }
    }
    put_back_.insert_or_assign(route, PutBack{until, until_more});
    changed_.notify_all();
}

void WorkQueue::ended() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
}

bool WorkQueue::ending() const {
    const std::lock_guard lock(mutex_);
    return cut_ || draining_;
}

bool WorkQueue::sleep(std::chrono::milliseconds wait) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, Deadline::in(wait).sooner(end_).at(), [&] { return cut_; });
    return !cut_ && !(draining_ && end_.passed());
}

Deadline WorkQueue::within(std::chrono::milliseconds wait) const {
    const std::lock_guard lock(mutex_);
    return Deadline::in(wait).sooner(end_);
}

}  // namespace sluice::postgres
