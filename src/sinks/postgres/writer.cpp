#include "sinks/postgres/writer.hpp"

#include <pthread.h>

#include <algorithm>
#include <limits>

#include "base/check.hpp"

namespace sluice::postgres {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t no_route = std::numeric_limits<std::uint32_t>::max();
constexpr auto connect_wait = 10s;
// A little more than the statement_timeout of the transaction, so that the server's own answer
// comes first.
constexpr auto statement_wait = 75s;

}  // namespace

Writer::Writer(const WriterPlan& plan, Outbox& outbox, Logger log, int number)
    : plan_(plan), outbox_(outbox), log_(std::move(log)), thread_([this] { run(); }) {
    const std::string name = "pg-writer-" + std::to_string(number);
    (void)pthread_setname_np(thread_.native_handle(), name.c_str());
}

Writer::~Writer() { check(!thread_.joinable(), "a writer is joined before it dies"); }

// Called by the lane.

void Writer::acquire(const AcquireRequest& request, std::uint64_t epoch) {
    const std::lock_guard lock(mutex_);
    acquires_.push_back({request, epoch});
    changed_.notify_all();
}

void Writer::enqueue(Piece piece) {
    const std::lock_guard lock(mutex_);
    const auto closed = closed_epochs_.find(piece.partition);
    if (closed != closed_epochs_.end() && piece.epoch <= closed->second) {
        return;
    }
    outbox_.occupy(piece.bytes());
    queues_[piece.route].push_back(std::move(piece));
    changed_.notify_all();
}

void Writer::release(std::span<const TopicPartition> partitions, Deadline deadline) {
    std::unique_lock lock(mutex_);
    const auto ours = [&](const TopicPartition& partition) {
        return std::ranges::find(partitions, partition) != partitions.end();
    };
    const auto clear = [&] {
        const bool queued = std::ranges::any_of(queues_, [&](const auto& queue) {
            return std::ranges::any_of(queue.second, ours, &Piece::partition);
        });
        const bool held = std::ranges::any_of(suspended_, [&](const auto& entry) {
            return std::ranges::any_of(entry.second.batch.pieces(), ours, &Piece::partition);
        });
        return ended_ || (!queued && !held && std::ranges::none_of(in_flight_, ours));
    };
    changed_.wait_until(lock, deadline.at(), clear);
    for (const auto& partition : partitions) {
        drop_queued(partition);
    }
}

void Writer::abandon(std::span<const TopicPartition> partitions) {
    const std::lock_guard lock(mutex_);
    for (const auto& partition : partitions) {
        drop_queued(partition);
    }
}

bool Writer::busy() const {
    const std::lock_guard lock(mutex_);
    return !ended_ && (!in_flight_.empty() || !suspended_.empty() ||
                       std::ranges::any_of(queues_, [](const auto& queue) {
                           return !queue.second.empty();
                       }));
}

void Writer::drain(Deadline deadline) {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    end_ = deadline;
    changed_.notify_all();
}

void Writer::join(Deadline deadline) {
    {
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, deadline.at(), [&] { return ended_; });
        cut_ = true;
        changed_.notify_all();
    }
    if (plan_.connect.interrupt != nullptr) {
        plan_.connect.interrupt->raise();
    }
    thread_.join();
}

// With the mutex held.
void Writer::drop_queued(const TopicPartition& partition) {
    for (auto& [route, queue] : queues_) {
        std::erase_if(queue, [&](const Piece& piece) {
            if (piece.partition != partition) {
                return false;
            }
            outbox_.vacate(piece.bytes());
            return true;
        });
    }
    std::erase_if(acquires_, [&](const Acquire& acquire) {
        return acquire.request.partition == partition;
    });
}

// The writer's thread.

void Writer::run() {
    while (wait_for_work()) {
        if (!connection_ && !connect()) {
            continue;
        }
        if (auto acquire = take_acquire()) {
            answer(*acquire);
        } else if (auto resumed = take_resumed()) {
            (void)write(std::move(resumed->batch), resumed->protocol);
        } else if (auto batch = take_batch()) {
            (void)write(std::move(*batch), std::nullopt);
        }
    }
    connection_.reset();
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
}

bool Writer::has_work() const {
    if (!acquires_.empty()) {
        return true;
    }
    return std::ranges::any_of(queues_, [&](const auto& queue) {
        return !queue.second.empty() && !suspended_.contains(queue.first);
    });
}

std::optional<Deadline> Writer::next_resume() const {
    std::optional<Deadline> next;
    for (const auto& [route, suspended] : suspended_) {
        next = next ? next->sooner(suspended.until) : suspended.until;
    }
    return next;
}

// False when there is nothing more to do in this life.
bool Writer::wait_for_work() {
    std::unique_lock lock(mutex_);
    while (true) {
        if (cut_ || (draining_ && end_.passed())) {
            return false;
        }
        const auto resume = next_resume();
        if (has_work() || (resume && resume->passed())) {
            return true;
        }
        if (draining_ && suspended_.empty()) {
            return false;
        }
        const Deadline until = resume.value_or(Deadline::in(1h)).sooner(end_);
        changed_.wait_until(lock, until.at());
    }
}

std::optional<Writer::Acquire> Writer::take_acquire() {
    const std::lock_guard lock(mutex_);
    if (acquires_.empty()) {
        return std::nullopt;
    }
    Acquire acquire = std::move(acquires_.front());
    acquires_.pop_front();
    return acquire;
}

void Writer::put_back(Acquire acquire) {
    const std::lock_guard lock(mutex_);
    acquires_.push_back(std::move(acquire));
}

std::optional<Writer::Suspended> Writer::take_resumed() {
    const std::lock_guard lock(mutex_);
    for (auto it = suspended_.begin(); it != suspended_.end(); ++it) {
        if (it->second.until.passed()) {
            Suspended resumed = std::move(it->second);
            suspended_.erase(it);
            for (const auto& piece : resumed.batch.pieces()) {
                in_flight_.push_back(piece.partition);
            }
            return resumed;
        }
    }
    return std::nullopt;
}

// Routes take turns, so that a busy one can't starve the others.
std::optional<Batch> Writer::take_batch() {
    const std::lock_guard lock(mutex_);
    const auto ready = [&](const auto& queue) {
        return !queue.second.empty() && !suspended_.contains(queue.first);
    };
    auto chosen = std::find_if(queues_.upper_bound(last_route_), queues_.end(), ready);
    if (chosen == queues_.end()) {
        chosen = std::find_if(queues_.begin(), queues_.end(), ready);
    }
    if (chosen == queues_.end()) {
        return std::nullopt;
    }
    last_route_ = chosen->first;
    Batch batch(chosen->first);
    auto& queue = chosen->second;
    while (!queue.empty() && (batch.empty() || batch.bytes() < plan_.batch_bytes_max)) {
        in_flight_.push_back(queue.front().partition);
        batch.add(std::move(queue.front()));
        queue.pop_front();
    }
    return batch;
}

bool Writer::connect() {
    auto opened = Connection::open(plan_.connect, by_the_end(connect_wait));
    if (!opened) {
        report_waiting(opened.error().error, std::nullopt);
        return sleep(backoff_.wait(++connect_attempts_)) && false;
    }
    connection_ = std::move(*opened);
    connect_attempts_ = 0;
    return true;
}

void Writer::answer(const Acquire& acquire) {
    const auto& request = acquire.request;
    auto locked =
        plan_.offsets.lock(*connection_, std::array{request.partition}, by_the_end(statement_wait));
    if (locked && locked->empty()) {
        // A partition that appeared after the topic's first start: it begins at its beginning.
        const Position fresh{.partition = request.partition,
                             .topic_id = request.topic_id,
                             .next = request.beginning,
                             .clock = {},
                             .start = "earliest"};
        auto begun = plan_.offsets.begin(*connection_, std::array{fresh}, by_the_end(statement_wait));
        locked = begun ? plan_.offsets.lock(*connection_, std::array{request.partition},
                                            by_the_end(statement_wait))
                       : tl::unexpected(std::move(begun).error());
    }
    if (!locked) {
        if (locked.error().lost) {
            connection_.reset();
        }
        report_waiting(locked.error().error, std::nullopt);
        put_back(acquire);
        (void)sleep(backoff_.wait(++connect_attempts_));
        return;
    }
    report_going(std::nullopt);
    connect_attempts_ = 0;
    check(locked->size() == 1, "one offset row a partition");
    const Position& position = locked->front();
    if (position.topic_id != request.topic_id) {
        outbox_.post(Refused{
            request.partition,
            {.action = Action::stop,
             .op = "postgres.offsets",
             .where = request.partition.to_string(),
             .code = {},
             .detail = "the topic was deleted and made again since this pipeline read it: its "
                       "offsets mean other records now",
             .hint = "`sluice reset --lane postgres` starts afresh"}});
        return;
    }
    outbox_.post(Ready{request.partition, position.next});
}

Writer::Ended Writer::write(Batch batch, std::optional<WriteProtocol> protocol) {
    const std::size_t bytes = batch.bytes();
    // A resumed protocol waits for the end of its pause.
    Command next = protocol ? protocol->on({}) : Command{};
    Ended ended = Ended::done;
    while (!batch.empty()) {
        if (!protocol) {
            protocol.emplace(batch.records());
            next = protocol->start();
        }
        ended = drive(batch, *protocol, next);
        if (ended != Ended::done) {
            break;
        }
        protocol.reset();
    }
    const std::lock_guard lock(mutex_);
    in_flight_.clear();
    if (ended == Ended::suspended) {
        outbox_.vacate(bytes - batch.bytes());
        const auto wait = backoff_.wait(6);
        suspended_.insert_or_assign(
            batch.route(), Suspended{std::move(batch), *protocol, Deadline::in(wait)});
    } else {
        outbox_.vacate(bytes);
    }
    changed_.notify_all();
    return ended;
}

// On Ended::done the batch holds what is still to be written, mostly nothing.
Writer::Ended Writer::drive(Batch& batch, WriteProtocol& protocol, Command command) {
    while (command.step != Step::finish) {
        if (command.step == Step::pause) {
            const Ended paused = pause(batch, command);
            if (paused != Ended::done) {
                return paused;
            }
            command = protocol.on({});
            continue;
        }
        command = protocol.on(execute(command, batch));
    }
    if (!conclude(batch, command)) {
        batch = Batch(batch.route());
    }
    return Ended::done;
}

Writer::Ended Writer::pause(const Batch& batch, const Command& command) {
    const Error& error = *command.error;
    if (error.action == Action::configure && connection_) {
        report_waiting(error, batch.route());
        const std::lock_guard lock(mutex_);
        return cut_ || draining_ ? Ended::stopped : Ended::suspended;
    }
    report_waiting(error, std::nullopt);
    return sleep(backoff_.wait(command.attempt)) ? Ended::done : Ended::stopped;
}

StepResult Writer::failed(Failure failure) {
    if (failure.lost) {
        connection_.reset();
    }
    StepResult result;
    result.ok = false;
    result.lost = failure.lost;
    result.error = std::move(failure.error);
    return result;
}

StepResult Writer::execute(const Command& command, const Batch& batch) {
    if (command.step == Step::reconnect) {
        connection_.reset();
        auto opened = Connection::open(plan_.connect, by_the_end(connect_wait));
        if (!opened) {
            return failed(std::move(opened).error());
        }
        connection_ = std::move(*opened);
        return {};
    }
    check(connection_.has_value(), "a step needs a connection");
    const auto slices = batch.slices(command.window);
    const Deadline deadline = by_the_end(statement_wait);
    switch (command.step) {
        case Step::open: {
            const auto ranges = batch.ranges(slices);
            auto advanced = plan_.offsets.advance(*connection_, ranges, deadline);
            if (!advanced) {
                return failed(std::move(advanced).error());
            }
            StepResult result;
            result.all_matched = *advanced == ranges.size();
            return result;
        }
        case Step::write: {
            auto written = write_rows(*connection_, batch, slices, plan_.tables[batch.route()],
                                      deadline);
            if (written) {
                return {};
            }
            StepResult result = failed(std::move(written.error().failure));
            if (const auto& row = written.error().row; row && !result.lost) {
                result.record = batch.record_number(row->piece, row->offset);
            }
            return result;
        }
        case Step::commit:
        case Step::roll_back: {
            const bool commit = command.step == Step::commit;
            auto ended = connection_->script(commit ? "COMMIT" : "ROLLBACK", deadline);
            if (!ended) {
                return failed(std::move(ended).error());
            }
            if (commit) {
                report_durable(batch, command.window);
            }
            return {};
        }
        case Step::read_offsets:
            return read_offsets(batch, command.window);
        case Step::reconnect:
        case Step::pause:
        case Step::finish:
            break;
    }
    check(false, "the protocol asks for a step that can be executed");
    return {};
}

StepResult Writer::read_offsets(const Batch& batch, const Window& window) {
    const auto ranges = batch.ranges(batch.slices(window));
    std::vector<TopicPartition> partitions;
    for (const auto& range : ranges) {
        partitions.push_back(range.partition);
    }
    auto locked = plan_.offsets.lock(*connection_, partitions, by_the_end(statement_wait));
    if (!locked) {
        return failed(std::move(locked).error());
    }
    std::size_t at_start = 0;
    std::size_t at_end = 0;
    for (const auto& range : ranges) {
        const auto found = std::ranges::find(*locked, range.partition, &Position::partition);
        if (found != locked->end()) {
            at_start += found->next == range.from ? 1 : 0;
            at_end += found->next == range.to ? 1 : 0;
        }
    }
    StepResult result;
    result.offsets = at_end == ranges.size()     ? Offsets::at_end
                     : at_start == ranges.size() ? Offsets::at_start
                                                 : Offsets::elsewhere;
    if (result.offsets == Offsets::at_end) {
        report_durable(batch, window);
    }
    return result;
}

void Writer::report_durable(const Batch& batch, const Window& window) {
    report_going(std::nullopt);
    report_going(batch.route());
    const auto slices = batch.slices(window);
    for (const auto& range : batch.ranges(slices)) {
        std::size_t rows = 0;
        for (const auto& slice : slices) {
            const Piece& piece = batch.pieces()[slice.piece];
            if (piece.partition == range.partition) {
                for (std::size_t t = 0; t < piece.tables.size(); ++t) {
                    const auto [first, last] = batch.rows(slice, t);
                    rows += last - first;
                }
            }
        }
        outbox_.post(Durable{range, rows});
    }
}

bool Writer::conclude(Batch& batch, const Command& command) {
    switch (command.verdict) {
        case Verdict::committed:
            return false;
        case Verdict::fenced:
        case Verdict::refused: {
            std::vector<TopicPartition> told;
            for (const auto& piece : batch.pieces()) {
                if (std::ranges::find(told, piece.partition) != told.end()) {
                    continue;
                }
                told.push_back(piece.partition);
                close_epoch(piece.partition, piece.epoch);
                if (command.verdict == Verdict::fenced) {
                    outbox_.post(Fenced{piece.partition});
                } else {
                    outbox_.post(Refused{piece.partition, *command.error});
                }
            }
            return false;
        }
        case Verdict::rejected: {
            const auto [index, offset] = batch.record_at(command.record);
            const TopicPartition partition = batch.pieces()[index].partition;
            close_epoch(partition, batch.pieces()[index].epoch);
            Error error = *command.error;
            error.where = partition.at(offset) + (error.where.empty() ? "" : ", " + error.where);
            // What the windows before this one wrote is committed already.
            batch.cut(partition, offset);
            batch.drop_before(command.window.first);
            outbox_.post(Rejected{partition, offset, std::move(error)});
            return !batch.empty();
        }
    }
    return false;
}

void Writer::close_epoch(const TopicPartition& partition, std::uint64_t epoch) {
    const std::lock_guard lock(mutex_);
    closed_epochs_[partition] = epoch;
    drop_queued(partition);
}

void Writer::report_waiting(const Error& error, std::optional<std::uint32_t> route) {
    const std::string reason = error.message();
    auto& known = waiting_[route.value_or(no_route)];
    if (known != reason) {
        known = reason;
        outbox_.post(Waiting{error, route});
    }
}

void Writer::report_going(std::optional<std::uint32_t> route) {
    if (waiting_.erase(route.value_or(no_route)) > 0) {
        outbox_.post(Waiting{std::nullopt, route});
    }
}

bool Writer::sleep(std::chrono::milliseconds wait) {
    std::unique_lock lock(mutex_);
    const Deadline until = Deadline::in(wait).sooner(end_);
    changed_.wait_until(lock, until.at(), [&] { return cut_; });
    return !cut_ && !(draining_ && end_.passed());
}

Deadline Writer::by_the_end(std::chrono::milliseconds wait) const {
    const std::lock_guard lock(mutex_);
    return Deadline::in(wait).sooner(end_);
}

}  // namespace sluice::postgres
