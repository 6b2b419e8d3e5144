// `${VAR}`, `${VAR:-default}` and `${file:/path}` in the values of a configuration. Applied to
// one parsed scalar at a time, so that no value can add structure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sluice {

// The value of an environment variable, or nothing where it is not set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

inline constexpr std::size_t reference_file_bytes_max = std::size_t{64} << 10;

struct Interpolated {
    std::string text;
    bool references = false;  // Something in it came from outside: not to be quoted in errors.
};

// A default stands where the variable is unset or empty. A file is a regular file (a symbolic
// link to one is fine) of at most 64 KiB without NUL; one newline at its end is cut off. `$${`
// is a literal `${`; any other `$` is itself. References don't nest.
Result<Interpolated> interpolate(std::string_view raw, const Environment& environment);

// True for text that is one `${VAR}` or `${file:…}` and nothing else: it can stand for a secret
// wherever the secret itself must not be shown. A default that says something would be shown.
bool is_bare_reference(std::string_view raw);

// The scalar that interpolates to `text`.
std::string escape_references(std::string_view text);

// The content of a regular file of at most `bytes_max`. Never waits: not for a pipe's writer,
// not for a device. The error's `detail` says what the file is instead ("is a directory").
Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max);

}  // namespace sluice
