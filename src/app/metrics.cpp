#include "app/metrics.hpp"

#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <functional>
#include <utility>
#include <vector>

#include "app/display.hpp"

namespace sluice {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr std::array lane_phases{LanePhase::starting, LanePhase::running, LanePhase::draining,
                                 LanePhase::ended};
constexpr std::array<std::pair<PartitionPhase, std::string_view>, 6> partition_states{{
    {PartitionPhase::assigned, "assigned"},
    {PartitionPhase::acquiring, "acquiring"},
    {PartitionPhase::fetching, "fetching"},
    {PartitionPhase::held, "held"},
    {PartitionPhase::faulted, "faulted"},
    {PartitionPhase::stopped, "stopped"},
}};

void add(MetricFamily& family, Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    (family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    family.metric.push_back(std::move(metric));
}

MetricFamily counter(std::string name, std::string help) {
    return {std::move(name), std::move(help), MetricType::Counter, {}};
}

MetricFamily gauge(std::string name, std::string help) {
    return {std::move(name), std::move(help), MetricType::Gauge, {}};
}

// One number a lane.
template <class Value>
MetricFamily of_lanes(std::span<const LaneStatus> lanes, MetricFamily family, Value value) {
    for (const auto& lane : lanes) {
        add(family, {{"lane", lane.name}}, static_cast<double>(std::invoke(value, lane)));
    }
    return family;
}

// One number for each entry of a map that a lane has.
template <class Counts>
MetricFamily by_label(std::span<const LaneStatus> lanes, MetricFamily family,
                      const std::string& label, Counts counts) {
    for (const auto& lane : lanes) {
        for (const auto& [name, count] : std::invoke(counts, lane)) {
            add(family, {{"lane", lane.name}, {label, name}}, static_cast<double>(count));
        }
    }
    return family;
}

void add_counters(std::span<const LaneStatus> lanes, std::vector<MetricFamily>& out) {
    const auto writes = [](auto member) {
        return [member](const LaneStatus& lane) -> const auto& { return lane.writes.*member; };
    };
    out.push_back(of_lanes(
        lanes, counter("sluice_records_total", "Records that were read from Kafka and mapped."),
        &LaneStatus::records));
    out.push_back(of_lanes(
        lanes, counter("sluice_bytes_total", "Bytes of the keys and values of these records."),
        &LaneStatus::bytes));
    out.push_back(of_lanes(
        lanes,
        counter(
            "sluice_rows_mapped_total",
            "Rows that these records gave. Once lag is 0 they are rows, rows skipped and those of "
            "records that the database refused, unless partitions were given away, fenced or "
            "stopped meanwhile."),
        &LaneStatus::mapped));
    out.push_back(of_lanes(lanes,
                           counter("sluice_rows_total", "Rows that are durable in the database."),
                           &LaneStatus::rows));
    out.push_back(of_lanes(lanes,
                           counter("sluice_rows_skipped_total",
                                   "Rows for which the tables' own triggers returned null."),
                           &LaneStatus::skipped));
    out.push_back(by_label(
        lanes,
        counter("sluice_dead_letters_total",
                "Records that are durable among the dead letters, by what refused them: decode, "
                "map, encode, size or database."),
        "reason", &LaneStatus::dead_letters));
    out.push_back(of_lanes(
        lanes,
        counter("sluice_batches_total",
                "Batches that the database took: transactions of PostgreSQL, chunks of Cassandra."),
        writes(&WriteCounts::batches)));
    out.push_back(by_label(
        lanes,
        counter("sluice_retries_total",
                "Attempts to start or to write that failed and are made again, by the class of a "
                "SQLSTATE, a Kafka or CQL code, connection or configuration."),
        "class", writes(&WriteCounts::retries)));
    out.push_back(of_lanes(
        lanes,
        counter("sluice_fenced_batches_total",
                "Batches dropped because a partition had been moved on, or back by a failover."),
        writes(&WriteCounts::fenced)));
    out.push_back(of_lanes(
        lanes,
        counter("sluice_rewound_offsets_total",
                "Offsets by which the database had gone back, as a failover without its last "
                "commits does; their records are written again."),
        &LaneStatus::rewound));
    out.push_back(by_label(
        lanes,
        counter("sluice_rejected_records_total",
                "Records that stopped their partition, by what refused them: decode, map, encode, "
                "size or database."),
        "reason", &LaneStatus::rejected));
}

void add_lane_states(std::span<const LaneStatus> lanes, std::chrono::steady_clock::time_point now,
                     std::vector<MetricFamily>& out) {
    out.push_back(of_lanes(
        lanes, gauge("sluice_lane_up", "1 when the lane is running and waits for nothing, else 0."),
        [](const LaneStatus& lane) {
            return lane.phase == LanePhase::running && !lane.waiting ? 1 : 0;
        }));
    MetricFamily phases = gauge("sluice_lane_phase",
                                "1 for the phase that the lane is in, else 0.");
    MetricFamily ages = gauge("sluice_last_commit_age_seconds",
                              "Seconds since the lane's progress was stored last, in PostgreSQL "
                              "or by a commit to the consumer group; absent until then.");
    for (const auto& lane : lanes) {
        for (const auto phase : lane_phases) {
            add(phases, {{"lane", lane.name}, {"phase", std::string(phase_name(phase))}},
                phase == lane.phase ? 1 : 0);
        }
        if (lane.progressed) {
            add(ages, {{"lane", lane.name}},
                std::chrono::duration<double>(now - *lane.progressed).count());
        }
    }
    out.push_back(std::move(phases));
    out.push_back(std::move(ages));
}

void add_memory(std::span<const LaneStatus> lanes, std::vector<MetricFamily>& out) {
    out.push_back(of_lanes(lanes,
                           gauge("sluice_fetched_records",
                                 "Records that wait in the Kafka client's queue to be mapped."),
                           &LaneStatus::fetched));
    MetricFamily waiting = gauge("sluice_waiting_bytes",
                                 "Bytes of encoded rows that are not durable yet: queued or being "
                                 "written (moving), or waiting for their table (aside).");
    for (const auto& lane : lanes) {
        add(waiting, {{"lane", lane.name}, {"part", "moving"}},
            static_cast<double>(lane.waiting_rows.moving));
        add(waiting, {{"lane", lane.name}, {"part", "aside"}},
            static_cast<double>(lane.waiting_rows.aside));
    }
    out.push_back(std::move(waiting));
}

void add_partitions(std::span<const LaneStatus> lanes, std::vector<MetricFamily>& out) {
    MetricFamily lags = gauge("sluice_lag_records",
                              "Records behind the partition's end, as far as is known.");
    MetricFamily states = gauge(
        "sluice_partition_state",
        "1 for the state that the partition is in, else 0; of the partitions that are ours now.");
    for (const auto& lane : lanes) {
        if (!lane.partitions) {
            continue;
        }
        for (const auto& partition : *lane.partitions) {
            const Labels labels{{"lane", lane.name},
                                {"topic", partition.id.topic},
                                {"partition", std::to_string(partition.id.partition.value())}};
            if (partition.lag) {
                add(lags, labels, static_cast<double>(*partition.lag));
            }
            for (const auto& [phase, name] : partition_states) {
                Labels with_state = labels;
                with_state.push_back({"state", std::string(name)});
                add(states, std::move(with_state), phase == partition.phase ? 1 : 0);
            }
        }
    }
    out.push_back(std::move(lags));
    out.push_back(std::move(states));
}

void add_process(const ProcessStatus& process, std::vector<MetricFamily>& out) {
    const auto put = [&](MetricFamily family, double value) {
        add(family, {}, value);
        out.push_back(std::move(family));
    };
    put(gauge("sluice_memory_max_bytes", "The memory that the process may have, as configured."),
        process.memory_max);
    put(gauge("process_resident_memory_bytes", "Resident memory in bytes."),
        process.resident_bytes);
    put(counter("process_cpu_seconds_total", "Seconds of CPU time, user and system."),
        process.cpu_seconds);
    put(gauge("process_start_time_seconds", "When the process started, in seconds since 1970."),
        process.start_seconds);
}

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

ProcessStatus measure_process(std::chrono::system_clock::time_point started) {
    ProcessStatus status;
    status.start_seconds = std::chrono::duration<double>(started.time_since_epoch()).count();
    std::ifstream statm("/proc/self/statm");
    double pages = 0;
    double resident = 0;
    if (statm >> pages >> resident) {
        status.resident_bytes = resident * static_cast<double>(sysconf(_SC_PAGESIZE));
    }
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        status.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
    return status;
}

std::string metrics_text(std::span<const LaneStatus> lanes,
                         std::chrono::steady_clock::time_point now, const ProcessStatus& process) {
    std::vector<MetricFamily> families;
    add_counters(lanes, families);
    add_lane_states(lanes, now, families);
    add_memory(lanes, families);
    add_partitions(lanes, families);
    add_process(process, families);
    return prometheus::TextSerializer().Serialize(families);
}

}  // namespace sluice
