// What went wrong, told so that the caller knows what to do and the reader what to change.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// The caller's next action; every foreign error is sorted into one of these once, at its wrapper.
enum class Action {
    retry,   // Passing: the same call again, later, with backoff.
    verify,  // Outcome unknown (a COMMIT or a write without an answer): find out before going on.
    reject,  // The fault of one record: its partition's policy decides.
    configure,  // Somebody must change a setting, a table or a privilege; then the same call works.
    stop,       // Going on could lose or change data: a bug, or a world we do not understand.
};

// Never holds payloads, keys, passwords or connection strings.
struct Error {
    Action action = Action::stop;
    std::string op;      // What was attempted: "postgres.copy", "kafka.commit".
    std::string where;   // file:line:column, or topic[partition]@offset and column; may be empty.
    std::string code;    // The native code: a SQLSTATE, a Kafka or CQL code; may be empty.
    std::string detail;  // What happened, in one sentence without a full stop.
    std::string hint;    // What to do about it; may be empty.

    // One line: "where: detail (op, code); hint".
    [[nodiscard]] std::string message() const;
};

}  // namespace sluice
