#include "sinks/destination.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

Error remade_topic(std::string op, const TopicPartition& partition, std::string_view lane) {
    return {.action = Action::stop,
            .op = std::move(op),
            .where = partition.to_string(),
            .code = {},
            .detail = "the topic was deleted and made again since this pipeline read it: its "
                      "offsets mean other records now",
            .hint = "`sluice reset --lane " + std::string(lane) + "` starts afresh"};
}

bool has_dead_letters(std::span<const Route> routes) {
    return std::ranges::any_of(
        routes, [](const Route& route) { return route.targets.back().dead_letters; });
}

std::size_t room_beside(std::size_t aside, Bytes room, std::size_t routes) {
    constexpr std::size_t shares = 8;  // Of the room; all routes together keep one.
    const std::size_t kept = std::max<std::size_t>(room.value() / (shares * routes), 1);
    return std::max(room.value() - std::min(room.value(), aside), kept);
}

std::string retry_class(const Error& error) {
    constexpr std::size_t sqlstate_size = 5;
    const auto is_of_sqlstate = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
    };
    if (error.code.size() == sqlstate_size && std::ranges::all_of(error.code, is_of_sqlstate)) {
        return error.code.substr(0, 2);
    }
    if (!error.code.empty()) {
        return error.code;
    }
    return error.action == Action::configure ? "configuration" : "connection";
}

}  // namespace sluice
