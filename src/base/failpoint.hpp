// Named places where a test ends, freezes or delays the process. Here they are nothing: the
// tests' program links a definition of its own (tests/failpoints). From any thread.
#pragma once

#include <string_view>

namespace sluice {

void failpoint(std::string_view name);

}  // namespace sluice
