// An integer with a meaning: an Offset is not a PartitionId, and neither is a byte count.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

namespace sluice {

template <class Tag, class T>
class Strong {
public:
    constexpr Strong() = default;
    constexpr explicit Strong(T value) : value_(value) {}
    [[nodiscard]] constexpr T value() const { return value_; }
    constexpr auto operator<=>(const Strong&) const = default;
    [[nodiscard]] constexpr Strong next() const { return Strong(value_ + 1); }

private:
    T value_{};
};

}  // namespace sluice

template <class Tag, class T>
struct std::hash<sluice::Strong<Tag, T>> {
    std::size_t operator()(sluice::Strong<Tag, T> id) const noexcept {
        return std::hash<T>{}(id.value());
    }
};
