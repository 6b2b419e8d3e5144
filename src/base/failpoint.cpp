#include "base/failpoint.hpp"

namespace sluice {

void failpoint(std::string_view /*name*/) {}

}  // namespace sluice
