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
    Path path;
    if (target.others || !target.table.empty()) {
        path = member_path(fields_path(target), column);
    } else if (const auto source = events_source(column, may_hold_id)) {
        path = {.source = *source, .name = {}, .steps = {}, .spelling = column};
    } else {
        return std::nullopt;
    }
    return ColumnSource{.column = column, .path = std::move(path), .reading = {}};
}

Error lost_table(std::string_view lane, std::string code, const Target& target,
                 const std::string& topic) {
    const std::string name(lane);
    return {.action = Action::stop,
            .op = name + ".table",
            .where = {},
            .code = std::move(code),
            .detail = "the pipeline has progress on topic '" + topic + "', but its table '" +
                      std::string(table_of(target)) + "' is gone",
            .hint = "restore the table (or create it, if it is to begin now), or forget the "
                    "progress with `sluice reset --lane " +
                    name + "`"};
}

}  // namespace sluice
