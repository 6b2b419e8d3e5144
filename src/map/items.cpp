#include "map/items.hpp"

#include "map/path_reader.hpp"

namespace sluice {

Items::Items(const Path& each, Event& event) : event_(event) {
    constexpr Uuid any_topic{};  // No path into the value asks for it.
    const Cell cell = resolve(each, event, any_topic);
    if (is_nothing(cell)) {
        return;
    }
    is_array_ = cell.node != nullptr && cell.node->type == JsonType::array;
    if (!is_array_) {
        return;
    }
    const auto& nodes = event.value.json.nodes;
    next_ = static_cast<std::size_t>(cell.node - nodes.data()) + 1;
    end_ = cell.node->end;
    for (std::size_t i = next_; i < end_; i = nodes[i].end) {
        ++size_;
    }
}

bool Items::next() {
    if (next_ == end_) {
        event_.item = nullptr;
        return false;
    }
    const JsonNode& node = event_.value.json.nodes[next_];
    event_.item_number = event_.item == nullptr ? 0 : event_.item_number + 1;
    event_.item = &node;
    next_ = node.end;
    return true;
}

}  // namespace sluice
