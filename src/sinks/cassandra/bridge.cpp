#include "sinks/cassandra/bridge.hpp"

#include <spdlog/fmt/fmt.h>

#include <string>

namespace sluice::cassandra {
namespace {

Action action_of_code(std::int32_t code) {
    switch (code) {
        case 0x0000:  // Server error
        case 0x1000:  // Unavailable
        case 0x1001:  // Overloaded
        case 0x1002:  // Bootstrapping
        case 0x1003:  // Truncate error
        case 0x1100:  // Write timeout
        case 0x1200:  // Read timeout
        case 0x1300:  // Read failure
        case 0x1400:  // Function failure
        case 0x1500:  // Write failure
        case 0x1600:  // CDC write failure: the log directory is full for now
        case 0x1700:  // CAS write unknown
        case 0x2500:  // Unprepared
            return Action::retry;
        case 0x0100:  // Bad credentials
        case 0x2000:  // Syntax error
        case 0x2100:  // Unauthorized
        case 0x2200:  // Invalid
        case 0x2300:  // Configuration error
        case 0x2400:  // Already exists
            return Action::configure;
        default:  // Protocol errors, and what is not in the specification.
            return Action::stop;
    }
}

std::string hint_of(std::int32_t kind, std::int32_t code) {
    if (kind == SLC_AUTH) {
        return "check cassandra.username and cassandra.password";
    }
    if (kind == SLC_DB && code == 0x2100) {
        return "have somebody who may grant it: GRANT MODIFY, SELECT ON … TO the role of "
               "cassandra.username";
    }
    if (kind == SLC_USAGE || kind == SLC_PANIC) {
        return "this is a bug; please report it";
    }
    return {};
}

}  // namespace

Error translate(std::int32_t kind, std::int32_t cql_code, std::string_view message,
                std::string_view op) {
    Error error{.action = Action::stop,
                .op = std::string(op),
                .where = {},
                .code = {},
                .detail = std::string(message),
                .hint = hint_of(kind, cql_code)};
    switch (kind) {
        case SLC_DB:
            error.action = action_of_code(cql_code);
            error.code = fmt::format("0x{:04x}", static_cast<unsigned>(cql_code));
            break;
        case SLC_AUTH:
            error.action = Action::configure;
            error.code = fmt::format("0x{:04x}", static_cast<unsigned>(cql_code));
            break;
        case SLC_TIMEOUT:
            error.action = Action::retry;
            error.code = "timeout";
            break;
        case SLC_CONNECTION:
            error.action = Action::retry;
            error.code = "connection";
            break;
        case SLC_NOT_SENT:
            error.action = Action::retry;
            error.code = code_not_sent;
            break;
        default:  // SLC_USAGE, SLC_PANIC, and a kind that is newer than this file.
            break;
    }
    // A sentence without a full stop, as all details are.
    while (!error.detail.empty() && error.detail.back() == '.') {
        error.detail.pop_back();
    }
    return error;
}

}  // namespace sluice::cassandra
