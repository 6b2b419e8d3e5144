// The elements of the array that a target's `each` leads to.
#pragma once

#include <cstddef>

#include "model/event.hpp"
#include "model/target.hpp"

namespace sluice {

// Sets the event's item to one after the other, and to null when it dies. The event must stay as
// it is until then.
class Items {
public:
    Items(const Path& each, Event& event);
    ~Items() { event_.item = nullptr; }
    Items(const Items&) = delete;
    Items& operator=(const Items&) = delete;

    // An array, or nothing, which has no items.
    [[nodiscard]] bool is_array() const { return is_array_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    // The first, then the one after it; false behind the last.
    bool next();

private:
    Event& event_;
    bool is_array_ = true;
    std::size_t size_ = 0;
    std::size_t next_ = 0;  // Indexes into the value's nodes.
    std::size_t end_ = 0;
};

}  // namespace sluice
