// What /metrics, /readyz and /healthz say of given lanes.
#include "app/metrics.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "app/status_pages.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

const std::chrono::steady_clock::time_point now{1h};

Error error_of(Action action, std::string code = {}, std::string op = "postgres.connect",
               std::string detail = "it is away") {
    return {.action = action,
            .op = std::move(op),
            .where = {},
            .code = std::move(code),
            .detail = std::move(detail),
            .hint = {}};
}

LaneStatus running(std::string name) {
    LaneStatus lane;
    lane.name = std::move(name);
    lane.phase = LanePhase::running;
    lane.started = true;
    return lane;
}

LaneStatus busy() {
    LaneStatus lane = running("postgres");
    lane.records = 9'007'199'254'740'991;
    lane.bytes = 1234567890123;
    lane.mapped = 12;
    lane.rows = 10;
    lane.skipped = 2;
    lane.dead_letters = {{"map", 9}};
    lane.fetched = 77;
    lane.waiting_rows = {.moving = 1024, .aside = 512};
    lane.writes = {.batches = 3, .fenced = 1, .retries = {{"08", 4}, {"connection", 5}}};
    lane.rejected = {{"encode", 6}};
    lane.rewound = 8;
    lane.progressed = now - 1500ms;
    lane.partitions = std::make_shared<const std::vector<PartitionStatus>>(
        std::vector<PartitionStatus>{{{"orders", PartitionId{3}}, PartitionPhase::held, 7},
                                     {{"a\"b", PartitionId{0}}, PartitionPhase::acquiring, {}}});
    return lane;
}

std::set<std::string> samples(const std::string& text) {
    std::set<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        if (!line.starts_with('#')) {
            EXPECT_TRUE(lines.insert(line).second) << "twice: " << line;
        }
    }
    return lines;
}

TEST(Metrics, AreTheNumbersOfTheLane) {
    const std::array lanes{busy()};
    const ProcessStatus process{.memory_max = 268'435'456,
                                .resident_bytes = 50'000'000,
                                .cpu_seconds = 1.5,
                                .start_seconds = 1'790'000'000.25};
    const std::string a = R"({lane="postgres",topic="orders",partition="3")";
    const std::string b = R"({lane="postgres",topic="a\"b",partition="0")";
    EXPECT_EQ(samples(metrics_text(lanes, now, process)),
              (std::set<std::string>{
                  R"(sluice_records_total{lane="postgres"} 9007199254740991)",
                  R"(sluice_bytes_total{lane="postgres"} 1234567890123)",
                  R"(sluice_rows_mapped_total{lane="postgres"} 12)",
                  R"(sluice_rows_total{lane="postgres"} 10)",
                  R"(sluice_rows_skipped_total{lane="postgres"} 2)",
                  R"(sluice_dead_letters_total{lane="postgres",reason="map"} 9)",
                  R"(sluice_batches_total{lane="postgres"} 3)",
                  R"(sluice_retries_total{lane="postgres",class="08"} 4)",
                  R"(sluice_retries_total{lane="postgres",class="connection"} 5)",
                  R"(sluice_fenced_batches_total{lane="postgres"} 1)",
                  R"(sluice_rewound_offsets_total{lane="postgres"} 8)",
                  R"(sluice_rejected_records_total{lane="postgres",reason="encode"} 6)",
                  R"(sluice_lane_up{lane="postgres"} 1)",
                  R"(sluice_lane_phase{lane="postgres",phase="starting"} 0)",
                  R"(sluice_lane_phase{lane="postgres",phase="running"} 1)",
                  R"(sluice_lane_phase{lane="postgres",phase="draining"} 0)",
                  R"(sluice_lane_phase{lane="postgres",phase="ended"} 0)",
                  R"(sluice_last_commit_age_seconds{lane="postgres"} 1.5)",
                  R"(sluice_fetched_records{lane="postgres"} 77)",
                  R"(sluice_waiting_bytes{lane="postgres",part="moving"} 1024)",
                  R"(sluice_waiting_bytes{lane="postgres",part="aside"} 512)",
                  "sluice_lag_records" + a + "} 7",
                  "sluice_partition_state" + a + R"(,state="assigned"} 0)",
                  "sluice_partition_state" + a + R"(,state="acquiring"} 0)",
                  "sluice_partition_state" + a + R"(,state="fetching"} 0)",
                  "sluice_partition_state" + a + R"(,state="held"} 1)",
                  "sluice_partition_state" + a + R"(,state="faulted"} 0)",
                  "sluice_partition_state" + a + R"(,state="stopped"} 0)",
                  "sluice_partition_state" + b + R"(,state="assigned"} 0)",
                  "sluice_partition_state" + b + R"(,state="acquiring"} 1)",
                  "sluice_partition_state" + b + R"(,state="fetching"} 0)",
                  "sluice_partition_state" + b + R"(,state="held"} 0)",
                  "sluice_partition_state" + b + R"(,state="faulted"} 0)",
                  "sluice_partition_state" + b + R"(,state="stopped"} 0)",
                  "sluice_memory_max_bytes 268435456",
                  "process_resident_memory_bytes 50000000",
                  "process_cpu_seconds_total 1.5",
                  "process_start_time_seconds 1790000000.25",
              }));
}

TEST(Metrics, ALaneThatWaitsOrDoesNotRunIsNotUp) {
    LaneStatus waiting = running("postgres");
    waiting.waiting = error_of(Action::retry);
    LaneStatus starting = running("cassandra");
    starting.phase = LanePhase::starting;
    const auto found = samples(metrics_text(std::array{waiting, starting}, now, {}));
    EXPECT_TRUE(found.contains(R"(sluice_lane_up{lane="postgres"} 0)"));
    EXPECT_TRUE(found.contains(R"(sluice_lane_up{lane="cassandra"} 0)"));
    EXPECT_TRUE(found.contains(R"(sluice_lane_phase{lane="cassandra",phase="starting"} 1)"));
}

TEST(Metrics, ThisProcessHasMemoryAndABeginning) {
    const auto started = std::chrono::system_clock::time_point{1790000000500ms};
    const auto process = measure_process(started);
    EXPECT_GT(process.resident_bytes, 1e6);
    EXPECT_LT(process.resident_bytes, 1e11);
    EXPECT_GT(process.cpu_seconds, 0);
    EXPECT_EQ(process.start_seconds, 1790000000.5);
}

// Each with its type, and with labels as they are.
TEST(Metrics, StandInTheDocumentation) {
    std::set<std::string> told;
    std::istringstream text(metrics_text(std::array{busy()}, now, {}));
    std::string name;
    const std::regex type("# TYPE (\\w+) (\\w+)");
    const std::regex sample("(\\w+)(?:\\{(.*)\\})? .*");
    std::string kind;
    for (std::string line; std::getline(text, line);) {
        std::smatch found;
        if (std::regex_match(line, found, type)) {
            kind = found[2];
        } else if (!line.starts_with('#') && std::regex_match(line, found, sample)) {
            std::string labels = std::regex_replace(found[2].str(),
                                                    std::regex("=\"(?:[^\"\\\\]|\\\\.)*\""), "");
            labels = std::regex_replace(labels, std::regex(","), ", ");
            told.insert(found[1].str() + (labels.empty() ? "" : "{" + labels + "}") + " " + kind);
        }
    }
    std::set<std::string> documented;
    std::ifstream file(SLUICE_SOURCE_DIR "/docs/configuration.md");
    const std::regex row(R"(\| `((?:sluice|process)_[^`]*)` \| (\w+) \|.*)");
    for (std::string line; std::getline(file, line);) {
        std::smatch found;
        if (std::regex_match(line, found, row)) {
            documented.insert(found[1].str() + " " + found[2].str());
        }
    }
    EXPECT_EQ(documented, told);
}

TEST(Metrics, RetriesHaveFewClasses) {
    EXPECT_EQ(retry_class(error_of(Action::retry, "57P01")), "57");
    EXPECT_EQ(retry_class(error_of(Action::retry, "40001")), "40");
    EXPECT_EQ(retry_class(error_of(Action::retry, "0x1100")), "0x1100");
    EXPECT_EQ(retry_class(error_of(Action::retry, "timeout")), "timeout");
    EXPECT_EQ(retry_class(error_of(Action::retry, "_TRANSPORT")), "_TRANSPORT");
    EXPECT_EQ(retry_class(error_of(Action::retry)), "connection");
    EXPECT_EQ(retry_class(error_of(Action::configure)), "configuration");
}

TEST(Metrics, RejectionsHaveAReason) {
    const auto reason = [](std::string op) {
        return rejection_reason(error_of(Action::reject, {}, std::move(op)));
    };
    EXPECT_EQ(reason("decode"), "decode");
    EXPECT_EQ(reason("map"), "map");
    EXPECT_EQ(reason("postgres.encode"), "encode");
    EXPECT_EQ(reason("cassandra.encode"), "encode");
    EXPECT_EQ(reason("postgres.copy"), "database");
    EXPECT_EQ(reason("cassandra.write"), "database");
}

TEST(StatusPages, AreReadyWhenEveryLaneRunsAndNoneWaits) {
    StatusPages pages(Bytes{1});
    LaneStatus stopped = running("cassandra");
    stopped.stopped.push_back({{"orders", PartitionId{1}}, error_of(Action::reject)});
    pages.show({running("postgres"), stopped}, now);
    const auto answer = pages.answer("/readyz", now);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "postgres: running\ncassandra: running, stopped partitions: 1\n");
}

TEST(StatusPages, SayInOneLineALaneWhyItIsNotReady) {
    StatusPages pages(Bytes{1});
    LaneStatus waiting = running("postgres");
    waiting.waiting = error_of(Action::retry, "57P03", "postgres.connect", "starting\nup\x1b[1m");
    LaneStatus starting = running("cassandra");
    starting.phase = LanePhase::starting;
    pages.show({waiting, starting}, now);
    const auto answer = pages.answer("/readyz", now);
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.body, "postgres: running, waits: starting up [1m (postgres.connect, 57P03)\n"
                           "cassandra: starting\n");
    LaneStatus failed = running("postgres");
    failed.phase = LanePhase::ended;
    failed.failed = error_of(Action::stop);
    pages.show({failed, running("cassandra")}, now);
    EXPECT_EQ(pages.answer("/readyz", now).status, 503);
    EXPECT_EQ(pages.answer("/readyz", now).body,
              "postgres: ended: it is away (postgres.connect)\ncassandra: running\n");
    LaneStatus draining = running("postgres");
    draining.phase = LanePhase::draining;
    pages.show({draining}, now);
    EXPECT_EQ(pages.answer("/readyz", now).status, 503);
}

TEST(StatusPages, AreHealthyWhileTheMainThreadShowsThings) {
    StatusPages pages(Bytes{1});
    pages.show({}, now);
    EXPECT_EQ(pages.answer("/healthz", now + 9s).status, 200);
    EXPECT_EQ(pages.answer("/healthz", now + 11s).status, 503);
    EXPECT_EQ(pages.answer("/healthz", now + 11s).body,
              "the main thread stands still since 11 s\n");
    pages.show({}, now + 11s);
    EXPECT_EQ(pages.answer("/healthz", now + 11s).status, 200);
}

TEST(StatusPages, AreUnhealthyWhereALaneStandsStill) {
    StatusPages pages(Bytes{1});
    LaneStatus stuck = running("cassandra");
    stuck.at = now;
    pages.show({running("postgres"), stuck}, now + 61s);
    EXPECT_EQ(pages.answer("/healthz", now + 61s).status, 503);
    EXPECT_EQ(pages.answer("/healthz", now + 61s).body, "lane cassandra stands still since 61 s\n");
    stuck.phase = LanePhase::draining;  // It may take as long as its deadline says.
    pages.show({stuck}, now + 61s);
    EXPECT_EQ(pages.answer("/healthz", now + 61s).status, 200);
}

TEST(StatusPages, AreNoOthers) {
    const StatusPages pages(Bytes{1});
    EXPECT_EQ(pages.answer("/", now).status, 404);
    EXPECT_EQ(pages.answer("/metrics/", now).status, 404);
    EXPECT_EQ(pages.answer("/metrics", now).status, 200);
    EXPECT_EQ(pages.answer("/metrics", now).content_type,
              "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace
}  // namespace sluice
