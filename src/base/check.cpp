#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace sluice {

void fail_check(std::string_view what, std::source_location at) {
    std::fprintf(stderr, "sluice: bug: %.*s (%s:%u)\n", static_cast<int>(what.size()), what.data(),
                 at.file_name(), static_cast<unsigned>(at.line()));
    std::abort();
}

}  // namespace sluice
