// How a writer comes by a partition: it locks the offset row and reads it.
#include "sinks/postgres/writer.hpp"

#include <array>

#include "base/check.hpp"
#include "sinks/postgres/sqlstate.hpp"

namespace sluice::postgres {
namespace {

using namespace std::chrono_literals;

// As for a batch's statements.
constexpr auto statement_wait = 75s;
// How long an acquisition keeps the connection from its batches, while another owner's
// transaction ends.
constexpr auto acquire_lock_wait = 1s;
// The group has given the partition to us: who still holds its row after that long is frozen or
// gone. A batch that it loses by this is written by the new owner.
constexpr auto owner_patience = 10s;

Error progress_vanished() {
    return {.action = Action::retry,
            .op = "postgres.offsets",
            .where = {},
            .code = {},
            .detail = "the row of its progress was deleted while it was read",
            .hint = {}};
}

Error progress_lost() {
    return {.action = Action::stop,
            .op = "postgres.offsets",
            .where = {},
            .code = {},
            .detail = "the database has no progress on any partition of the topic any more: it was "
                      "deleted, or lost in a failover",
            .hint = "`sluice reset --lane postgres` and a restart begin again by the start policy; "
                    "rows that are there stay"};
}

}  // namespace

Outcome<std::vector<Position>> Writer::lock_or_begin(const AcquireRequest& request) {
    const std::array only{request.partition};
    auto locked = plan_.offsets.lock(*connection_, only, acquire_lock_wait,
                                     queue_.within(statement_wait));
    if (!locked || !locked->empty()) {
        return locked;
    }
    auto known = plan_.offsets.read(*connection_, request.partition.topic,
                                    queue_.within(statement_wait));
    if (!known) {
        return tl::unexpected(std::move(known).error());
    }
    if (known->empty()) {
        return tl::unexpected(Failure{.error = progress_lost(), .copy_line = {}, .column = {}});
    }
    // One that only the topic has that was made again is refused as its others are.
    const auto former = std::ranges::find_if(
        *known, [&](const Position& each) { return each.topic_id != request.topic_id; });
    if (former != known->end()) {
        return std::vector{*former};
    }
    // A partition that appeared after the topic's first start: it begins at its beginning.
    const std::array fresh{Position{.partition = request.partition,
                                    .topic_id = request.topic_id,
                                    .next = request.beginning,
                                    .clock = {},
                                    .start = "earliest"}};
    auto begun = plan_.offsets.begin(*connection_, fresh, queue_.within(statement_wait));
    if (!begun) {
        return tl::unexpected(std::move(begun).error());
    }
    return plan_.offsets.lock(*connection_, only, acquire_lock_wait, queue_.within(statement_wait));
}

// An offset row that is locked belongs to somebody else's transaction, which mostly ends soon.
// No timeout of the server ends a client that is frozen inside of a COPY.
void Writer::name_holder(Acquire& acquire, Error& error) {
    if (!acquire.patience) {
        acquire.patience = Deadline::in(owner_patience);
    }
    const std::array only{acquire.request.partition};
    const bool frozen = acquire.patience->passed();
    auto holder = plan_.offsets.holder(*connection_, only, {.any = frozen},
                                       queue_.within(statement_wait));
    if (!holder) {
        if (holder.error().lost) {
            drop_connection();
        }
        return;
    }
    if (!*holder) {
        return;
    }
    const std::string session = "session " + (*holder)->process + " ('" + (*holder)->application +
                                "', role " + (*holder)->role + ")";
    if ((*holder)->ended) {
        plan_.log->warn("{}: ended {}, which held its progress for too long: an owner that is "
                        "frozen or gone",
                        only.front().to_string(), session);
        acquire.attempts = 0;
    }
    error.detail = session + " holds the lock on its progress";
    error.hint = (*holder)->ours ? "an owner that is frozen or gone is ended after 10 s"
                                 : "if it does not end by itself: SELECT pg_terminate_backend(" +
                                       (*holder)->process + ")";
}

// Whether a session keeps an offset row of the window locked; else a lock is one on the tables. A
// session of ours whose way is cut may keep them until the server notices, which inside of a COPY
// takes as long as its keepalives do: it is ended.
bool Writer::is_offset_held(const Batch& batch, const Window& window) {
    auto holder = plan_.offsets.holder(*connection_, batch.partitions(window),
                                       {.process = former_process_.value_or(0)},
                                       queue_.within(statement_wait));
    if (!holder) {
        if (holder.error().lost) {
            drop_connection();
        }
        return true;
    }
    if (*holder && (*holder)->ended) {
        plan_.log->warn("ended session {}, its own, whose connection was lost", (*holder)->process);
        former_process_.reset();
    }
    return holder->has_value();
}

void Writer::answer_later(Acquire acquire, Failure failure) {
    const std::string partition = acquire.request.partition.to_string();
    failure.error.where = partition;
    if (failure.lost) {
        drop_connection();
    } else if (failure.error.code == lock_not_available) {
        name_holder(acquire, failure.error);
    }
    waits_.begin(partition, std::nullopt, failure.error);
    outbox_.count_retry(failure.error);
    acquire.due = Deadline::in(backoff_.wait(++acquire.attempts));
    if (!queue_.push(std::move(acquire))) {
        waits_.end(partition, std::nullopt);
    }
}

void Writer::answer(Acquire acquire) {
    auto locked = lock_or_begin(acquire.request);
    if (locked && locked->empty()) {
        locked = tl::unexpected(
            Failure{.error = progress_vanished(), .copy_line = {}, .column = {}});
    }
    const AcquireRequest& request = acquire.request;
    const bool stops = !locked && locked.error().error.action == Action::stop;
    if (!locked && !stops) {
        answer_later(std::move(acquire), std::move(locked).error());
        return;
    }
    waits_.end(request.partition.to_string(), std::nullopt);
    waits_.end(name_, std::nullopt);
    if (stops) {
        if (locked.error().lost) {
            drop_connection();
        }
        outbox_.post(Refused{request.partition, std::move(locked).error().error});
        return;
    }
    const Position& position = locked->front();
    if (position.topic_id != request.topic_id) {
        outbox_.post(Refused{request.partition,
                             remade_topic("postgres.offsets", request.partition, "postgres")});
        return;
    }
    outbox_.post(Ready{request.partition, position.next, acquire.epoch});
}

}  // namespace sluice::postgres
