// 128-bit identifiers as RFC 9562 defines them.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

struct Uuid {
    std::array<std::uint8_t, 16> bytes{};
    auto operator<=>(const Uuid&) const = default;

    [[nodiscard]] std::string to_string() const;  // Lower case, with hyphens.
    void append_to(std::string& out) const;       // The same.
};

// Accepts exactly 8-4-4-4-12 hexadecimal digits, either case.
std::optional<Uuid> parse_uuid(std::string_view text);
// Version 5: the SHA-1 of `space` and `name`. Same input, same id, for ever.
Uuid uuid_v5(const Uuid& space, std::string_view name);
// Version 4, from the kernel's random source.
Uuid uuid_random();

}  // namespace sluice
