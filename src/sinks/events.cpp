#include "sinks/events.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sluice {
namespace {

using namespace std::string_view_literals;

std::optional<Source> events_source(std::string_view column, bool may_hold_id) {
    static constexpr std::array sources{std::pair{"kafka_topic"sv, Source::meta_topic},
                                        std::pair{"kafka_partition"sv, Source::meta_partition},
                                        std::pair{"kafka_offset"sv, Source::meta_offset},
                                        std::pair{"timestamp"sv, Source::meta_timestamp},
                                        std::pair{"key"sv, Source::key},
                                        std::pair{"data"sv, Source::value},
                                        std::pair{"id"sv, Source::meta_id}};
    const auto found = std::ranges::find(sources, column, &decltype(sources)::value_type::first);
    if (found == sources.end() || (found->second == Source::meta_id && !may_hold_id)) {
        return std::nullopt;
    }
    return found->second;
}

}  // namespace

std::string_view table_of(const Target& target) {
    return target.table.empty() ? events_table : std::string_view(target.table);
}

bool feeds_events(const Route& route) {
    return std::ranges::any_of(route.targets,
                               [](const Target& target) { return target.table.empty(); });
}

bool is_filled_by_name(const Target& target, std::string_view column) {
    return target.columns.empty() ||
           (target.others && std::ranges::find(target.columns, column, &ColumnSource::column) ==
                                 target.columns.end());
}

std::optional<ColumnSource> source_by_name(const Target& target, const std::string& column,
                                           bool may_hold_id) {
    Path path{.source = Source::value, .name = {}, .steps = {}, .spelling = column};
    if (target.others) {
        path = *target.others;
        path.steps.emplace_back(column);
        path.spelling += "." + column;
    } else if (!target.table.empty()) {
        const bool change = target.mode == Mode::changes;
        if (change) {
            path.steps.emplace_back("after");
        }
        path.steps.emplace_back(column);
        path.spelling = (change ? "value.after." : "value.") + column;
    } else if (const auto source = events_source(column, may_hold_id)) {
        path.source = *source;
    } else {
        return std::nullopt;
    }
    return ColumnSource{.column = column, .path = std::move(path), .reading = {}};
}

Error lost_table(std::string_view lane, std::string code, const std::string& topic) {
    const std::string name(lane);
    return {.action = Action::stop,
            .op = name + ".table",
            .where = {},
            .code = std::move(code),
            .detail = "the pipeline has progress on topic '" + topic + "', but its table '" +
                      std::string(events_table) + "' is gone",
            .hint = "restore the table, or forget the progress with `sluice reset --lane " + name +
                    "`"};
}

}  // namespace sluice
