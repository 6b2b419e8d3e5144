// What a writer does with a batch that can't be written as it is.
#include <algorithm>

#include "sinks/postgres/writer.hpp"

namespace sluice::postgres {
namespace {

// After a refused record the next window is no larger than twice what went through before it: a
// window that meets the next one is written in vain.
constexpr std::size_t window_after_refusal_min = 16;
// How soon a table that could not be written is tried again, and a batch where more records must
// tell whose fault an error is.
constexpr std::chrono::milliseconds suspended_wait{2000};

Error error_at(const Batch& batch, const Command& command) {
    const auto [index, offset] = batch.record_at(command.record);
    Error error = *command.error;
    error.where = batch.pieces()[index].partition.at(offset) +
                  (error.where.empty() ? "" : ", " + error.where);
    return error;
}

}  // namespace

// Whose fault a record's error is, other records of the same table tell.
void Writer::look_for_others(const Batch& batch, const Window& window, const WriteFailure& failure,
                             StepResult& result) const {
    if (!result.record && window.count > 1) {
        return;  // The record is to be found first.
    }
    result.witnessed = (failure.row && !failure.row->first) ||
                       batch.has_rows_before(window.first, failure.table);
    if (!result.witnessed) {
        result.others = batch.others(failure.table, window.first,
                                     result.record.value_or(window.first), others_max);
    }
}

Writer::Ended Writer::conclude(Batch& batch, const Command& command) {
    switch (command.verdict) {
        case Verdict::committed:
            break;
        case Verdict::fenced:
            drop_batch(batch, std::nullopt);
            break;
        case Verdict::refused:
            drop_batch(batch, command.error);
            break;
        case Verdict::rejected:
            if (plan_.buries()) {
                bury_record(batch, command);
            } else {
                drop_record(batch, command);
            }
            return Ended::done;
        case Verdict::doubtful:
        case Verdict::alike:
            return wait_for_others(batch, command);
    }
    batch = Batch(batch.route());
    return Ended::done;
}

// Nothing of these partitions is written until they are acquired again.
void Writer::drop_batch(const Batch& batch, const std::optional<Error>& refusal) {
    if (!refusal) {
        outbox_.count_fenced();
    }
    std::vector<TopicPartition> told;
    for (const auto& piece : batch.pieces()) {
        if (std::ranges::find(told, piece.partition) != told.end()) {
            continue;
        }
        told.push_back(piece.partition);
        queue_.close_epoch(piece.partition, piece.epoch);
        if (refusal) {
            outbox_.post(Refused{piece.partition, *refusal});
        } else {
            outbox_.post(Fenced{piece.partition});
        }
    }
}

// What the windows before this one wrote is committed already; the record and what follows it in
// its partition go, the rest stays to be written.
void Writer::drop_record(Batch& batch, const Command& command) {
    const auto [index, offset] = batch.record_at(command.record);
    const TopicPartition partition = batch.pieces()[index].partition;
    queue_.close_epoch(partition, batch.pieces()[index].epoch);
    Error error = error_at(batch, command);
    batch.cut(partition, offset);
    batch.drop_before(command.window.first);
    outbox_.post(Rejected{partition, offset, {}, std::move(error)});
}

// The record goes to the dead letters; the rest of the batch stays to be written.
void Writer::bury_record(Batch& batch, const Command& command) {
    const auto [index, offset] = batch.record_at(command.record);
    const Error error = error_at(batch, command);
    const auto kept = batch.kept(index, offset);
    TableRows row;
    if (plan_.dead_letter_topic) {
        plan_.dead_letter_topic->send(kept.record, kept.clock, error);
        unsettled_ = true;
    } else {
        const auto& tables = batch.plans();
        const auto target = static_cast<std::uint32_t>(tables.size() - 1);
        const Row mapped = dead_letter_mapper_.map(kept.record, error, target);
        if (!append_row(tables.back(), kept.record, mapped, row)) {
            drop_record(batch, command);
            return;
        }
    }
    const std::size_t passed = command.record - command.window.first;
    batch.drop_before(command.window.first);  // First: without its rows the others count on.
    batch.bury(batch.record_at(passed).first, {offset, rejection_reason(error)}, row);
    window_max_ = std::max(window_after_refusal_min, passed + 1);
    outbox_.post(Buried{error});
}

Writer::Ended Writer::wait_for_others(Batch& batch, const Command& command) {
    Error error = error_at(batch, command);
    error.action = Action::configure;
    const bool alike = command.verdict == Verdict::alike;
    error.hint = alike ? "every record is refused like this: correct the table, or what fills it"
                       : "waits for the next records of the table to tell whether it is this "
                         "record's fault or the table's";
    outbox_.count_retry(error);
    // With no room for more records it keeps none from the other routes. One that passes would
    // show that the others are at fault, but a table that takes nothing must not fill the room.
    const bool fetched = outbox_.wait_for_room(Deadline::in(std::chrono::milliseconds{0})) &&
                         (!alike || batch.bytes() < plan_.batch_bytes_max);
    waits_.begin(name_, batch.route(), error, fetched);
    batch.drop_before(command.window.first);
    if (queue_.ending()) {
        return Ended::stopped;
    }
    return !fetched ? Ended::set_aside : alike ? Ended::alike : Ended::doubtful;
}

void Writer::lay_aside(Batch batch, std::optional<WriteProtocol> protocol, Ended ended,
                       std::chrono::steady_clock::time_point began) {
    skipped_.clear();  // Other batches come before this one goes on.
    // A lock is waited for within the attempt, and each of several tables may have one: half of
    // the time, at least, is for the other routes.
    const auto took = std::chrono::ceil<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - began);
    const auto routes = static_cast<std::int64_t>(queue_.suspended()) + 1;
    const auto until = Deadline::in(std::max(suspended_wait, took * routes));
    if (ended == Ended::doubtful || ended == Ended::alike) {
        queue_.put_back(std::move(batch), until, ended == Ended::doubtful);
    } else {
        queue_.suspend({std::move(batch), std::move(protocol), until});
    }
    end_idle_waits();
}

}  // namespace sluice::postgres
