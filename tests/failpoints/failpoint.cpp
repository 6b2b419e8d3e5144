// What the places in src/base/failpoint.hpp do in a test's program:
//
//     SLUICE_FAILPOINT=postgres.before_commit=abort@3     the third time that the place is reached
//
// Actions: abort; freeze (SIGSTOP to itself: all threads stand still until a SIGCONT); sleep (this
// thread, 3 s). The variable is read once; anything but NAME=ACTION[@NTH] aborts.
#include "base/failpoint.hpp"

#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/check.hpp"

namespace sluice {
namespace {

struct Wanted {
    std::string name;
    std::string action;
    int nth = 1;
};

Wanted read_wanted() {
    const char* const variable = std::getenv("SLUICE_FAILPOINT");
    if (variable == nullptr) {
        return {};
    }
    const std::string text(variable);
    const auto equals = text.find('=');
    const auto at = text.find('@', equals);
    check(equals != std::string::npos, "SLUICE_FAILPOINT is NAME=ACTION[@NTH]");
    Wanted wanted{.name = text.substr(0, equals),
                  .action = text.substr(equals + 1, at - equals - 1)};
    if (at != std::string::npos) {
        const auto parsed = std::from_chars(text.data() + at + 1, text.data() + text.size(),
                                            wanted.nth);
        check(parsed.ec == std::errc{} && wanted.nth > 0, "NTH is a number, and counts from 1");
    }
    check(wanted.action == "abort" || wanted.action == "freeze" || wanted.action == "sleep",
          "the action of SLUICE_FAILPOINT is abort, freeze or sleep");
    return wanted;
}

}  // namespace

void failpoint(std::string_view name) {
    static const Wanted wanted = read_wanted();
    static std::atomic<int> reached{0};
    if (name != wanted.name || ++reached != wanted.nth) {
        return;
    }
    if (wanted.action == "abort") {
        std::abort();
    } else if (wanted.action == "freeze") {
        (void)std::raise(SIGSTOP);
    } else {
        std::this_thread::sleep_for(std::chrono::seconds{3});
    }
}

}  // namespace sluice
