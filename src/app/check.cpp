#include "app/check.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include "app/rehearse.hpp"
#include "app/sampler.hpp"
#include "app/topics.hpp"
#include "app/wiring.hpp"
#include "kafka/admin.hpp"
#include "sinks/cassandra/inspect.hpp"
#include "sinks/postgres/inspect.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto server_wait = 15s;

class Report {
public:
    void problem(std::string_view part, const Error& error) {
        ++problems_;
        std::printf("problem  %.*s: %s\n", static_cast<int>(part.size()), part.data(),
                    error.message().c_str());
    }
    static void note(std::string_view part, const std::string& text) {
        std::printf("ok       %.*s: %s\n", static_cast<int>(part.size()), part.data(),
                    text.c_str());
    }
    static void warning(std::string_view part, const std::string& text) {
        std::printf("warning  %.*s: %s\n", static_cast<int>(part.size()), part.data(),
                    text.c_str());
    }
    [[nodiscard]] int finish() const {
        if (problems_ == 0) {
            std::printf("everything that run needs is there\n");
            return 0;
        }
        std::printf("%zu problem%s\n", problems_, problems_ == 1 ? "" : "s");
        return 3;
    }

private:
    std::size_t problems_ = 0;
};

using Partitions = std::map<std::string, std::int32_t>;  // By topic.

Partitions check_kafka(const Config& config, Report& report) {
    Partitions partitions;
    const Deadline deadline = Deadline::in(server_wait);
    auto admin = kafka::Admin::open(client_options(config.kafka), make_logger("kafka"));
    if (!admin) {
        report.problem("kafka", admin.error());
        return partitions;
    }
    std::vector<std::string> topics;
    std::vector<const Place*> places;
    for (const auto& route : config.routes) {
        for (const auto& topic : route.topics) {
            topics.push_back(topic);
            places.push_back(&route.place);
        }
    }
    if (!config.dead_letters.topic.empty()) {
        topics.push_back(config.dead_letters.topic);
        places.push_back(&config.dead_letters.place);
    }
    const auto described = admin->describe(topics, deadline);
    if (!described) {
        report.problem("kafka", described.error());
        return partitions;
    }
    for (std::size_t i = 0; i < described->size(); ++i) {
        const auto& topic = (*described)[i];
        if (topic.error) {
            Error error = *topic.error;
            error.where = "topic '" + topic.name + "'";
            if (places[i]->line > 0) {
                error.where = places[i]->to_string() + ": " + error.where;
            }
            report.problem("kafka", error);
        } else {
            partitions[topic.name] = topic.partitions;
            Report::note("kafka", "topic " + topic.name + ", " + std::to_string(topic.partitions) +
                                      " partitions");
        }
    }
    return partitions;
}

// The order of two records of one row counts.
bool is_ordered(Mode mode) {
    return mode == Mode::upsert || mode == Mode::insert_ignore || mode == Mode::update;
}

bool comes_from_key(const Target& target, const std::string& column) {
    const auto source = std::ranges::find(target.columns, column, &ColumnSource::column);
    return source != target.columns.end() && source->path.source == Source::key;
}

// Nothing orders the records of several partitions. Those with one key are in one partition; of
// those with one value nobody knows.
void check_order(const RouteConfig& route, std::string_view lane, const Partitions& partitions) {
    std::int32_t count = 0;
    for (const auto& topic : route.topics) {
        const auto found = partitions.find(topic);
        count += found == partitions.end() ? 0 : found->second;
    }
    for (const auto& config : lane == postgres_lane ? route.postgres : route.cassandra) {
        const Target& target = config.target;
        const auto other = std::ranges::find_if(
            target.key, [&](const std::string& column) { return !comes_from_key(target, column); });
        const bool one_topic = route.topics.size() == 1;
        if (!is_ordered(target.mode) || count < 2 || (one_topic && other == target.key.end())) {
            continue;
        }
        const std::string place = config.place.line > 0 ? config.place.to_string() + ": " : "";
        const std::string why = one_topic ? "column '" + *other + "' of the key of " +
                                                target.table + " is not taken from the record's key"
                                          : "several topics feed the rows of " + target.table;
        Report::warning(lane,
                        place + why +
                            "; where two records of one row are in different partitions, either "
                            "may count as the last: send them with the same key to one topic, or "
                            "use mode: upsert_newer");
    }
}

// Where in the file a finding about a target belongs: the column's line if it has one.
std::string place_of(const TargetConfig& target, const std::string& column) {
    const auto at = std::ranges::find(target.target.columns, column, &ColumnSource::column);
    if (at != target.target.columns.end()) {
        const auto index = static_cast<std::size_t>(at - target.target.columns.begin());
        if (index < target.column_places.size() && target.column_places[index].line > 0) {
            return target.column_places[index].to_string();
        }
    }
    return target.place.line > 0 ? target.place.to_string() : std::string{};
}

void report_inspection(const Config& config, std::string_view lane,
                       const std::vector<std::size_t>& places, const Result<Inspection>& inspection,
                       Report& report) {
    if (!inspection) {
        report.problem(lane, inspection.error());
        return;
    }
    for (const auto& problem : inspection->problems) {
        report.problem(lane, problem);
    }
    for (const auto& problem : inspection->target_problems) {
        const RouteConfig& route = config.routes[places[problem.route]];
        const auto& targets = lane == postgres_lane ? route.postgres : route.cassandra;
        Error error = problem.error;
        error.where = problem.target < targets.size()
                          ? place_of(targets[problem.target], problem.error.where)
                          : config.dead_letters.place.to_string();
        report.problem(lane, error);
    }
    for (const auto& note : inspection->notes) {
        Report::note(lane, note);
    }
    if (inspection->problems.empty() && inspection->target_problems.empty()) {
        Report::note(lane, "connects, and every route fits its tables");
    }
}

void report_sample(const Config& config, std::string_view lane, Rehearsal& rehearsal, int count,
                   Report& report) {
    const auto rehearsed = rehearse(config, rehearsal, static_cast<std::size_t>(count));
    if (!rehearsed) {
        report.problem(lane, rehearsed.error());
        return;
    }
    for (const auto& note : rehearsed->notes) {
        Report::note(lane, note);
    }
    for (const auto& refused : rehearsed->refused) {
        Report::warning(lane, refused);
    }
}

}  // namespace

Result<Inspection> inspect(const Config& config, std::string_view lane,
                           std::span<const Route> routes) {
    const Deadline deadline = Deadline::in(server_wait);
    if (lane == postgres_lane) {
        auto options = postgres_options(config);
        options.find_shape = shape_finder(config);
        return postgres::inspect(options, routes, deadline);
    }
    auto options = cassandra_options(config);
    options.find_shape = shape_finder(config);
    return cassandra::inspect(options, routes, deadline);
}

int check_pipeline(const CheckOptions& options) {
    Report report;
    const auto expanded = with_topics(options.config, Deadline::in(server_wait));
    if (!expanded) {
        report.problem("kafka", expanded.error());
        return report.finish();
    }
    const Config& config = expanded->config;
    for (const auto& refused : expanded->refused) {
        report.problem("kafka", refused);
    }
    if (lane_names(config) != lane_names(options.config)) {
        report.problem("kafka", no_topic(options.config));
    }
    const Partitions partitions = check_kafka(config, report);
    for (const auto& lane : lane_names(config)) {
        std::vector<std::size_t> places;
        const auto routes = routes_of(config, lane, &places);
        const auto inspection = inspect(config, lane, routes);
        report_inspection(config, lane, places, inspection, report);
        if (options.sample && inspection && inspection->rehearsal) {
            report_sample(config, lane, *inspection->rehearsal, *options.sample, report);
        }
        for (const std::size_t route : places) {
            check_order(config.routes[route], lane, partitions);
        }
    }
    return report.finish();
}

}  // namespace sluice
