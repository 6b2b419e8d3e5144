#include "sinks/cassandra/bridge.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <string>

#include "sinks/cassandra/schema.hpp"

namespace sluice::cassandra {
namespace {

// Cassandra 4.1 and later (data_disk_usage_percentage_fail_threshold): of the rows whose replicas
// include a full node, and nobody else's. It passes, and no row is to blame, though the code is
// that of an invalid request.
constexpr std::string_view disk_usage = "disk usage exceeds failure threshold";

Action action_of(std::int32_t code, std::string_view message) {
    if (message.find(disk_usage) != std::string_view::npos) {
        return Action::retry;
    }
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

// The server's texts that carry keys of rows, as of Cassandra 5.0:
//   "Rejected an oversized mutation (9/8) for keyspace: shop. Top keys are: orders.<key> …"
//   "Unable to write to denylisted partition [0x<key>] in shop/orders"
std::string without_keys(std::string_view message) {
    std::string out(message.substr(0, message.find(". Top keys")));
    const auto begin = out.find("[0x");
    if (begin != std::string::npos) {
        const auto end = std::min(out.find(']', begin), out.size());
        out.replace(begin, end - begin, "[...");
    }
    return out;
}

std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
    const auto found = text.find(before);
    if (found == std::string_view::npos) {
        return {};
    }
    text.remove_prefix(found + before.size());
    return text.substr(0, text.find(after));
}

// What the server misses when it says "User app has no MODIFY permission on <table shop.orders> or
// any of its parents"; nothing for another text.
std::string missing_grant(std::string_view message) {
    const auto role = between(message, "User ", " has no ");
    const auto permission = between(message, " has no ", " permission on ");
    const auto table = split_name(between(message, " permission on <table ", ">"), {});
    if (role.empty() || permission.empty() || table.table.empty()) {
        return {};
    }
    return fmt::format("GRANT {} ON TABLE {}.{} TO {}", permission,
                       quote_identifier(table.keyspace), quote_identifier(table.table),
                       quote_identifier(role));
}

std::string hint_of(std::int32_t kind, std::int32_t code, std::string_view message) {
    if (kind == SLC_AUTH) {
        return "check cassandra.username and cassandra.password";
    }
    if (kind == SLC_DB && code == 0x2100) {
        const auto grant = missing_grant(message);
        return grant.empty() ? "have somebody who may grant it to the role of cassandra.username"
                             : "have this run by a role that may: " + grant;
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
                .detail = without_keys(message),
                .hint = hint_of(kind, cql_code, message)};
    switch (kind) {
        case SLC_DB:
            error.action = action_of(cql_code, message);
            error.code = fmt::format("0x{:04x}", static_cast<unsigned>(cql_code));
            break;
        case SLC_AUTH:
            error.action = Action::configure;
            // Where the driver itself gave up there is none, and 0 would be another error's.
            error.code = cql_code == 0 ? std::string()
                                       : fmt::format("0x{:04x}", static_cast<unsigned>(cql_code));
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

bool is_too_large(const Error& error) {
    return error.detail.find("oversized mutation") != std::string::npos ||
           error.detail.find("exceeds allowed maximum") != std::string::npos;
}

}  // namespace sluice::cassandra
