// From librdkafka's terms to ours: error codes to actions and hints, ids to Uuid. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "base/uuid.hpp"

namespace sluice::kafka {

// `code` is an rd_kafka_resp_err_t: Kafka's own number, or a negative one of the client.
// A code that is not known to pass, or to need a change outside, is Action::stop.
Action action_for(int code);
// What to change; empty where the code alone does not tell.
std::string hint_for(int code);
// `detail` is librdkafka's text; where it is empty, the code's description stands in.
Error make_error(int code, std::string op, std::string where = {}, std::string detail = {});
// Of several errors the one to act on: stop before configure before the rest.
bool outranks(const Error& a, const Error& b);

// Java's two halves of a UUID, in network order.
Uuid uuid_from_halves(std::int64_t most, std::int64_t least);

}  // namespace sluice::kafka
