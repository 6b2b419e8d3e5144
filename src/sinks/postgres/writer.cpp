#include "sinks/postgres/writer.hpp"

#include <pthread.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.hpp"
#include "base/failpoint.hpp"
#include "sinks/postgres/layout.hpp"
#include "sinks/postgres/sqlstate.hpp"

namespace sluice::postgres {
namespace {

using namespace std::chrono_literals;

constexpr auto connect_wait = 10s;
// A little more than the statement_timeout of the transaction, so that the server's own answer
// comes first.
constexpr auto statement_wait = 75s;
// A deferred constraint that fails is an error of its own, so that COMMIT has none of a record's.
constexpr auto commit_sql = "SET CONSTRAINTS ALL IMMEDIATE; COMMIT";
constexpr auto constraints_sql = "SET CONSTRAINTS ALL IMMEDIATE";
// How long the brokers may take to acknowledge dead letters before that is told, and tried again.
constexpr auto settle_wait = 5s;
// How long the lookup of an unanswered COMMIT waits for what is left of that transaction.
constexpr auto commit_lock_wait = 10s;

}  // namespace

Writer::Writer(const WriterPlan& plan, Outbox& outbox, Waits& waits, int number)
    : plan_(plan),
      outbox_(outbox),
      waits_(waits),
      name_("pg-writer-" + std::to_string(number)),
      queue_(outbox),
      thread_([this] { run(); }) {
    (void)pthread_setname_np(thread_.native_handle(), name_.c_str());
}

Writer::~Writer() { check(!thread_.joinable(), "a writer is joined before it dies"); }

void Writer::join() { thread_.join(); }

void Writer::end_idle_waits() {
    if (!queue_.holds(std::nullopt)) {
        waits_.end(name_, std::nullopt);
    }
    for (std::uint32_t route = 0; route < plan_.routes; ++route) {
        if (!queue_.holds(route)) {
            waits_.end(name_, route);
        }
    }
}

void Writer::run() {
    while (queue_.wait()) {
        if (!connection_ && !connect()) {
            continue;
        }
        // One of each: an offset row that somebody else holds must not keep batches from going.
        if (auto acquire = queue_.take_acquire()) {
            answer(std::move(*acquire));
        }
        if (connection_) {
            write_next();
        }
    }
    connection_.reset();
    queue_.ended();
}

void Writer::write_next() {
    // In turns, so that tables which are locked for long leave the others theirs.
    auto resumed = was_resumed_ ? std::nullopt : queue_.take_resumed(plan_.batch_bytes_max);
    was_resumed_ = resumed.has_value();
    if (resumed) {
        write(std::move(resumed->batch), std::move(resumed->protocol));
    } else if (auto batch = queue_.take_batch(plan_.batch_bytes_max)) {
        write(std::move(*batch), std::nullopt);
    }
}

bool Writer::connect() {
    auto opened = Connection::open(plan_.connect, queue_.within(connect_wait));
    if (!opened) {
        waits_.begin(name_, std::nullopt, opened.error().error);
        outbox_.count_retry(opened.error().error);
        end_idle_waits();
        (void)queue_.sleep(backoff_.wait(++connect_attempts_));
        return false;
    }
    take(std::move(*opened));
    connect_attempts_ = 0;
    return true;
}

void Writer::take(Connection connection) {
    connection_ = std::move(connection);
    if (std::exchange(process_, connection_->server_process()) != 0) {
        outbox_.post(Reconnected{});
    }
}

void Writer::write(Batch batch, std::optional<WriteProtocol> protocol) {
    const std::size_t bytes = batch.bytes();
    const auto began = std::chrono::steady_clock::now();
    window_max_ = std::numeric_limits<std::size_t>::max();
    // A resumed protocol waits for the end of its pause.
    Command next = protocol ? protocol->on({}) : Command{};
    while (!batch.empty()) {
        if (!protocol) {
            protocol.emplace(batch.records(),
                             Rules{.window_max = window_max_,
                                   .waits_in_doubt = plan_.buries() && !batch.closed()});
            next = protocol->start(connection_.has_value());
        }
        const Ended ended = drive(batch, *protocol, next);
        if (ended == Ended::stopped) {
            break;
        }
        if (ended != Ended::suspended) {
            protocol.reset();  // It begins anew.
        }
        if (ended != Ended::done) {
            outbox_.vacate(bytes - batch.bytes());
            lay_aside(std::move(batch), std::move(protocol), ended, began);
            return;
        }
    }
    // Also where nothing was committed: what was fenced or rejected waits no longer.
    waits_.end(name_, batch.route());
    waits_.end(name_, std::nullopt);
    queue_.done(bytes);
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
    return conclude(batch, command);
}

Writer::Ended Writer::pause(const Batch& batch, const Command& command) {
    const Error& error = *command.error;
    outbox_.count_retry(error);
    bool of_tables = error.action == Action::configure;
    if (error.code == lock_not_available && connection_) {
        of_tables = !is_offset_held(batch, command.window);
    }
    if (of_tables && connection_) {
        waits_.end(name_, std::nullopt);  // The database answers.
        waits_.begin(name_, batch.route(), error);
        if (!queue_.ending()) {
            return Ended::suspended;
        }
        if (error.action == Action::configure) {
            return Ended::stopped;
        }
    } else {
        waits_.begin(name_, std::nullopt, error);
    }
    return queue_.sleep(backoff_.wait(command.attempt)) ? Ended::done : Ended::stopped;
}

void Writer::drop_connection() {
    if (connection_) {
        former_process_ = process_;
    }
    connection_.reset();
}

StepResult Writer::failed(Failure failure) {
    if (failure.lost) {
        drop_connection();
    }
    StepResult result;
    result.ok = false;
    result.lost = failure.lost;
    result.error = std::move(failure.error);
    return result;
}

StepResult Writer::reconnect() {
    drop_connection();
    auto opened = Connection::open(plan_.connect, queue_.within(connect_wait));
    if (!opened) {
        return failed(std::move(opened).error());
    }
    take(std::move(*opened));
    return {};
}

StepResult Writer::open_window(const Batch& batch, const Window& window) {
    if (unsettled_) {
        if (auto settled = plan_.dead_letter_topic->settle(queue_.within(settle_wait)); !settled) {
            StepResult unsettled;
            unsettled.ok = false;
            unsettled.error = std::move(settled).error();
            return unsettled;
        }
        unsettled_ = false;
    }
    const auto advances = batch.advances(batch.slices(window));
    const auto& tables = batch.plans();
    failpoint("postgres.before_begin");
    auto advanced = plan_.offsets.advance(*connection_, advances, layout_query(tables),
                                          queue_.within(statement_wait));
    if (!advanced) {
        return failed(std::move(advanced).error());
    }
    failpoint("postgres.advanced");
    StepResult result;
    result.all_matched = advanced->matched == advances.size();
    if (auto changed = changed_columns(tables, advanced->then); result.all_matched && changed) {
        result.ok = false;
        result.error = std::move(*changed);
    }
    return result;
}

StepResult Writer::write_window(const Batch& batch, const Window& window) {
    auto written = write_rows(*connection_, batch, batch.slices(window), batch.plans(),
                              queue_.within(statement_wait));
    if (written) {
        skipped_ = std::move(*written);
        return {};
    }
    StepResult result = failed(std::move(written.error().failure));
    if (result.lost) {
        return result;
    }
    if (const auto& row = written.error().row) {
        result.record = batch.record_number(row->piece, row->offset);
        if (result.error.action == Action::configure) {
            const std::string at = batch.pieces()[row->piece].partition.at(row->offset);
            result.error.where = at + ", " + result.error.where;
        }
    }
    if (result.error.action == Action::reject) {
        look_for_others(batch, window, written.error(), result);
    }
    return result;
}

StepResult Writer::end_transaction(const char* sql, std::string_view op) {
    auto ended = connection_->script(sql, queue_.within(statement_wait), op);
    return ended ? StepResult{} : failed(std::move(ended).error());
}

StepResult Writer::commit(const Batch& batch, const Window& window) {
    failpoint("postgres.before_commit");
    StepResult result = end_transaction(commit_sql, "postgres.commit");
    if (result.ok) {
        failpoint("postgres.committed");
        report_durable(batch, window);
    } else if (!result.lost && result.error.action == Action::reject) {
        // A deferred constraint: its error names no row, and perhaps no table.
        if (window.count == 1 && batch.is_letter(window.first)) {
            result.error.action = Action::configure;
            result.error.hint = letters_hint;
            return result;
        }
        look_for_others(batch, window, {.failure = {}, .row = {}, .table = {}}, result);
    }
    return result;
}

StepResult Writer::probe(const Batch& batch, const Window& window) {
    auto opened = plan_.offsets.open(*connection_, queue_.within(statement_wait));
    if (!opened) {
        return failed(std::move(opened).error());
    }
    StepResult result = write_window(batch, window);
    return result.ok ? end_transaction(constraints_sql, "postgres.probe") : result;
}

StepResult Writer::execute(const Command& command, const Batch& batch) {
    if (command.step == Step::reconnect) {
        return reconnect();
    }
    if (!connection_) {  // Lost in a pause, which asks the server who holds a lock.
        return failed({.error = {.action = Action::retry,
                                 .op = "postgres.connect",
                                 .where = {},
                                 .code = {},
                                 .detail = "the connection was lost",
                                 .hint = {}},
                       .copy_line = {},
                       .column = {},
                       .lost = true});
    }
    switch (command.step) {
        case Step::open:
            return open_window(batch, command.window);
        case Step::probe:
            return probe(batch, command.window);
        case Step::write:
            return write_window(batch, command.window);
        case Step::commit:
            return commit(batch, command.window);
        case Step::roll_back:
            return end_transaction("ROLLBACK", "postgres.rollback");
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
    const auto advances = batch.advances(batch.slices(window));
    auto locked = plan_.offsets.lock(*connection_, batch.partitions(window), commit_lock_wait,
                                     queue_.within(statement_wait));
    if (!locked) {
        return failed(std::move(locked).error());
    }
    std::size_t at_start = 0;
    std::size_t at_end = 0;
    for (const auto& [range, topic_id] : advances) {
        const auto found = std::ranges::find(*locked, range.partition, &Position::partition);
        if (found != locked->end() && found->topic_id == topic_id) {
            at_start += found->next == range.from ? 1 : 0;
            at_end += found->next == range.to ? 1 : 0;
        }
    }
    StepResult result;
    result.offsets = at_end == advances.size()     ? Offsets::at_end
                     : at_start == advances.size() ? Offsets::at_start
                                                   : Offsets::elsewhere;
    if (result.offsets == Offsets::at_end) {
        report_durable(batch, window);
    }
    return result;
}

void Writer::report_durable(const Batch& batch, const Window& window) {
    waits_.end(name_, std::nullopt);
    waits_.end(name_, batch.route());
    outbox_.count_batch();
    // Rows that were skipped are told with those that they are among: what the lane has counted
    // as written never becomes less.
    std::vector<DestinationEvent> told;
    const auto& tables = batch.plans();
    const auto slices = batch.slices(window);
    for (const auto& [range, topic_id] : batch.advances(slices)) {
        Durable durable{.range = range};
        for (const auto& slice : slices) {
            const Piece& piece = batch.pieces()[slice.piece];
            if (piece.partition != range.partition) {
                continue;
            }
            for (std::size_t t = 0; t < piece.tables.size(); ++t) {
                const auto [first, last] = batch.rows(slice, t);
                durable.rows += tables[t].dead_letters ? 0 : last - first;
            }
            for (const auto& letter : piece.letters) {
                if (letter.offset >= slice.from && letter.offset < slice.to) {
                    ++durable.dead_letters[letter.reason];
                }
            }
        }
        told.emplace_back(std::move(durable));
    }
    for (std::size_t t = 0; t < skipped_.size(); ++t) {
        if (skipped_[t] > 0) {
            told.emplace_back(Skipped{tables[t].name, skipped_[t], tables[t].dead_letters});
        }
    }
    outbox_.post(std::move(told));
}

}  // namespace sluice::postgres
