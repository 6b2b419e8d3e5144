// Checks for bugs, kept in release builds: a wrong invariant must stop the process, not a row.
#pragma once

#include <source_location>
#include <string_view>

namespace sluice {

// Prints `what` and the place to stderr, then aborts.
[[noreturn]] void fail_check(std::string_view what,
                             std::source_location at = std::source_location::current());

inline void check(bool holds, std::string_view what,
                  std::source_location at = std::source_location::current()) {
    if (!holds) [[unlikely]] {
        fail_check(what, at);
    }
}

}  // namespace sluice
