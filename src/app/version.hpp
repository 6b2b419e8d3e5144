// What --version prints.
#pragma once

#include <string>

namespace sluice {

std::string version_text();  // The program and the libraries that it talks through.

}  // namespace sluice
