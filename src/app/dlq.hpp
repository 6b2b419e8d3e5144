// `sluice dlq`: what became dead letters, and their way back.
#pragma once

#include "app/cli.hpp"

namespace sluice {

// The process's exit code.
int dlq(const DlqOptions& options);

}  // namespace sluice
