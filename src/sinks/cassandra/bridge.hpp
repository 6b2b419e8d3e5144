// The C interface of the driver, for this folder's own files: the only header that includes it.
#pragma once

#include <sluice/cassandra_bridge.h>

#include <cstdint>
#include <string_view>

#include "base/error.hpp"

namespace sluice::cassandra {

// Sorts a failure by the caller's next action. `kind` is an SlcKind, `cql_code` the server's code
// where there is one (native_protocol_v4.spec, section 9), `op` what was attempted.
Error translate(std::int32_t kind, std::int32_t cql_code, std::string_view message,
                std::string_view op);

// The codes that are looked at outside of translate(), as Error::code spells them.
inline constexpr std::string_view code_invalid = "0x2200";
inline constexpr std::string_view code_unprepared = "0x2500";
inline constexpr std::string_view code_not_sent = "not sent";

// Cassandra's MutationExceededMaxSizeException and its limit of a message: no table and no
// neighbour makes this row fit, so that none needs to be waited for.
[[nodiscard]] bool is_too_large(const Error& error);

}  // namespace sluice::cassandra
