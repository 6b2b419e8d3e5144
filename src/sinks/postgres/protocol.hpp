// The write protocol of PostgreSQL as a state machine: outcomes in, actions out. It knows no
// socket, thread or clock, so that the writer and a simulator can both drive it.
//
// One batch is one transaction: offsets by compare-and-set first, then the rows, then COMMIT.
// A COMMIT without an answer is resolved by locking the offset rows. A record's error without a
// line is searched by halving: each half that goes through is committed on the way. Where no
// other record has gone through the same statement, some are tried by themselves before the
// culprit is blamed: one code for all of them is the table's fault.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/error.hpp"

namespace sluice::postgres {

// Records of the batch, counted in the order in which they are written.
struct Window {
    std::size_t first = 0;
    std::size_t count = 0;
};

enum class Step : std::uint8_t {
    open,          // BEGIN and the compare-and-set for the window's ranges.
    write,         // The window's rows.
    commit,        // COMMIT.
    roll_back,     // ROLLBACK; the outcome may be a failure, then the connection is dropped.
    read_offsets,  // In a new transaction, SELECT … FOR UPDATE of the window's offset rows.
    reconnect,     // Drop the connection, make a new one.
    probe,         // BEGIN and the window's rows, which are rolled back whatever comes of it.
    pause,         // Wait: backoff after `error`.
    finish,        // The batch is through with; see the verdict.
};

enum class Verdict : std::uint8_t {
    committed,  // All of it.
    fenced,     // Somebody else moved an offset row: drop the batch, read its positions again.
    rejected,   // Record `record` can't be written; what is before it may not be written yet.
    doubtful,   // The same, but too few others tell whether it is the table's fault: wait for them.
    alike,      // The same, and enough others fail so: the table's fault, as long as none passes.
    refused,    // A bug or an unknown world: the partitions of the batch stop.
};

struct Command {
    Step step = Step::open;
    Window window;
    std::optional<Error> error;  // pause, and finish with all but committed and fenced.
    Verdict verdict = Verdict::committed;
    std::size_t record = 0;  // finish with rejected, doubtful or alike.
    unsigned attempt = 0;    // pause: how often in a row, from 1.
};

// Where the offset rows stand after an unanswered COMMIT.
enum class Offsets : std::uint8_t { at_start, at_end, elsewhere };

struct StepResult {
    bool ok = true;
    bool all_matched = true;              // open: every range's row was advanced.
    Offsets offsets = Offsets::at_start;  // read_offsets
    Error error;                          // Where ok is false.
    std::optional<std::size_t> record;    // The record that the error names.
    bool lost = false;                    // The connection is gone.
    // Of a record's error: that another went through the same statement; else up to
    // `others_max` records that would.
    bool witnessed = false;
    std::vector<std::size_t> others;
};

// So many others must fail alike before a table is blamed. Less would take a burst of bad records
// for it.
inline constexpr std::size_t others_max = 16;

struct Rules {
    // The first window's records at most; each that goes through doubles it.
    std::size_t window_max = std::numeric_limits<std::size_t>::max();
    // A record is passed over once it is rejected: an error that may be the table's waits for
    // others to tell. Else the record is blamed, which stops its partition and loses nothing.
    bool waits_in_doubt = false;
};

class WriteProtocol {
public:
    // `records` is at least 1.
    explicit WriteProtocol(std::size_t records, Rules rules = {});

    [[nodiscard]] Command start(bool connected);
    // The result of the command given last.
    [[nodiscard]] Command on(const StepResult& result);

private:
    Command command(Step step);
    Command open();
    Command after_commit(const StepResult& result);
    Command after_reading(const StepResult& result);
    Command after_roll_back(const StepResult& result);
    Command committed();
    Command fail_step(const StepResult& result);
    Command narrow_or_reject(const StepResult& result);
    void judge(const StepResult& result);
    Command probe();
    void end_probes();
    Command after_probe(const StepResult& result);
    Command pause_then(Step next, const Error& error);
    Command finish(Verdict verdict);

    std::size_t records_;
    Rules rules_;
    Window window_;
    Step step_ = Step::open;
    Step after_ = Step::open;          // What follows a rollback, a pause or a reconnect.
    bool reconnect_first_ = false;     // A pause is followed by a reconnect, then by after_.
    std::optional<Command> held_;      // The verdict, while the rollback before it is under way.
    std::vector<std::size_t> probes_;  // To be tried before the verdict that is held; last first.
    bool enough_probes_ = false;
    unsigned attempts_ = 0;
    Error last_error_;
};

}  // namespace sluice::postgres
