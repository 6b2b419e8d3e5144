// Named places where a test ends, freezes or delays the process. Only in builds with the CMake
// option SLUICE_FAILPOINTS; in all others they are nothing.
//
//     SLUICE_FAILPOINT=postgres.before_commit=abort@3     the third time that the place is reached
//
// Actions: abort; freeze (SIGSTOP to itself: all threads stand still until a SIGCONT); sleep (this
// thread, 3 s). From any thread. The variable is read once; anything but NAME=ACTION[@NTH] aborts.
#pragma once

#include <string_view>

namespace sluice {

#ifdef SLUICE_FAILPOINTS
void failpoint(std::string_view name);
#else
constexpr void failpoint(std::string_view /*name*/) {}
#endif

}  // namespace sluice
