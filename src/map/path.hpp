// The paths of the configuration: where in a record a column's value stands.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "model/target.hpp"

namespace sluice {

// Reads `value`, `key`, `value.a.b[0].c`, `key.id`, `headers.NAME` and `meta.topic`,
// `meta.partition`, `meta.offset`, `meta.timestamp`, `meta.id`, `meta.item`, `item`, `item.a`.
//
// A bare name holds ASCII letters, digits, `_`, `-` and anything beyond ASCII; every other name
// stands in double quotes, in which \" and \\ stand for " and \: value."a.b", headers."x.y".
// Names keep their case. Fails with Action::configure; positions count characters from 1, and
// `where` is left for the caller, who knows file and line.
Result<Path> parse_path(std::string_view text);

}  // namespace sluice
