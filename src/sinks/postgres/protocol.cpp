#include "sinks/postgres/protocol.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "sinks/postgres/sqlstate.hpp"

namespace sluice::postgres {

WriteProtocol::WriteProtocol(std::size_t records, Rules rules)
    : records_(records), rules_(rules), window_{0, std::min(records, rules.window_max)} {
    check(window_.count > 0, "a batch has records");
}

Command WriteProtocol::start(bool connected) {
    return connected ? open() : command(Step::reconnect);
}

Command WriteProtocol::command(Step step) {
    step_ = step;
    return {.step = step,
            .window = window_,
            .error = {},
            .verdict = Verdict::committed,
            .record = 0,
            .attempt = attempts_};
}

Command WriteProtocol::open() { return command(Step::open); }

// The probes are those of the verdict that is held: another has none.
Command WriteProtocol::finish(Verdict verdict) {
    probes_.clear();
    Command end = command(Step::finish);
    end.verdict = verdict;
    return end;
}

Command WriteProtocol::pause_then(Step next, const Error& error) {
    after_ = next;
    ++attempts_;
    Command wait = command(Step::pause);
    wait.error = error;
    return wait;
}

Command WriteProtocol::on(const StepResult& result) {
    switch (step_) {
        case Step::open:
            if (!result.ok) {
                return fail_step(result);
            }
            if (!result.all_matched) {
                held_ = finish(Verdict::fenced);
                return command(Step::roll_back);
            }
            return command(Step::write);
        case Step::write:
            return result.ok ? command(Step::commit) : fail_step(result);
        case Step::commit:
            return after_commit(result);
        case Step::read_offsets:
            return after_reading(result);
        case Step::roll_back:
            return after_roll_back(result);
        case Step::probe:
            return after_probe(result);
        case Step::pause:
            return reconnect_first_ ? command(Step::reconnect) : command(after_);
        case Step::reconnect:
            if (!result.ok) {
                reconnect_first_ = true;
                return pause_then(after_, result.error);
            }
            reconnect_first_ = false;
            return command(after_);
        case Step::finish:
            break;
    }
    check(false, "no result is given after the end");
    return {};
}

Command WriteProtocol::after_commit(const StepResult& result) {
    if (result.ok) {
        return committed();
    }
    // An answer with a SQLSTATE of its own is an outcome: rolled back. Silence is not.
    if (!result.lost) {
        return fail_step(result);
    }
    reconnect_first_ = true;
    return pause_then(Step::read_offsets, result.error);
}

Command WriteProtocol::after_reading(const StepResult& result) {
    if (!result.ok) {
        reconnect_first_ = reconnect_first_ || result.lost;
        return pause_then(Step::read_offsets, result.error);
    }
    switch (result.offsets) {
        case Offsets::at_start:
            return open();
        case Offsets::at_end:
            return committed();
        case Offsets::elsewhere:
            break;
    }
    return finish(Verdict::fenced);
}

Command WriteProtocol::after_roll_back(const StepResult& result) {
    reconnect_first_ = reconnect_first_ || !result.ok;
    if (held_ && !probes_.empty()) {
        if (result.ok) {
            return probe();
        }
        held_.reset();  // The others were not asked: all of it again.
        return pause_then(Step::open, result.error);
    }
    if (held_) {
        step_ = held_->step;
        return *held_;
    }
    if (after_ == Step::pause) {
        return pause_then(Step::open, last_error_);
    }
    return reconnect_first_ ? command(Step::reconnect) : command(after_);
}

// The window is through; the rest of the batch follows.
Command WriteProtocol::committed() {
    attempts_ = 0;
    const std::size_t next = window_.first + window_.count;
    const bool small = rules_.window_max < records_;
    rules_.window_max *= small ? 2 : 1;
    window_ = {next, std::min(records_ - next, rules_.window_max)};
    return window_.count == 0 ? finish(Verdict::committed) : open();
}

Command WriteProtocol::fail_step(const StepResult& result) {
    if (result.lost) {
        reconnect_first_ = true;
        return pause_then(Step::open, result.error);
    }
    switch (result.error.action) {
        case Action::reject:
            return narrow_or_reject(result);
        case Action::stop: {
            held_ = finish(Verdict::refused);
            held_->error = result.error;
            return command(Step::roll_back);
        }
        case Action::retry:
        case Action::verify:
        case Action::configure:
            break;
    }
    // A statement that took too long is given less to do (57014, query_canceled).
    if (result.error.code == "57014" && window_.count > 1) {
        window_.count /= 2;
    }
    last_error_ = result.error;
    after_ = Step::pause;
    return command(Step::roll_back);
}

Command WriteProtocol::narrow_or_reject(const StepResult& result) {
    if (result.record || window_.count == 1) {
        judge(result);
        return command(Step::roll_back);
    }
    window_.count /= 2;
    after_ = Step::open;
    return command(Step::roll_back);
}

// Of a culprit that is found: the verdict, and what must be tried before.
void WriteProtocol::judge(const StepResult& result) {
    held_ = finish(Verdict::rejected);
    held_->record = result.record.value_or(window_.first);
    held_->error = result.error;
    enough_probes_ = result.others.size() >= others_max;
    const bool in_doubt = rules_.waits_in_doubt && may_be_tables_fault(result.error.code);
    if (result.witnessed || (!enough_probes_ && !in_doubt)) {
        return;
    }
    probes_.assign(result.others.rbegin(), result.others.rend());
    if (probes_.empty()) {
        end_probes();
    }
}

Command WriteProtocol::probe() {
    Command next = command(Step::probe);
    next.window = {.first = probes_.back(), .count = 1};
    return next;
}

// None of them passed, or failed otherwise.
void WriteProtocol::end_probes() {
    held_->verdict = enough_probes_ ? Verdict::alike : Verdict::doubtful;
}

Command WriteProtocol::after_probe(const StepResult& result) {
    if (!result.ok && (result.lost || result.error.action != Action::reject)) {
        held_.reset();
        return fail_step(result);
    }
    if (result.ok || result.error.code != held_->error->code) {
        probes_.clear();
        return command(Step::roll_back);
    }
    probes_.pop_back();
    if (probes_.empty()) {
        end_probes();
    }
    return command(Step::roll_back);
}

}  // namespace sluice::postgres
