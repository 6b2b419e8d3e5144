// The state of the lanes and of the process as Prometheus reads it. docs/configuration.md lists
// the metrics; a test holds it against this.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "app/lane.hpp"

namespace sluice {

inline constexpr std::string_view metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

struct ProcessStatus {
    double memory_max = 0;  // Bytes, as configured.
    double resident_bytes = 0;
    double cpu_seconds = 0;    // User and system.
    double start_seconds = 0;  // Since 1970.
};
// This process now, which was started then.
ProcessStatus measure_process(std::chrono::system_clock::time_point started);

// Prometheus's text format 0.0.4. Pure.
std::string metrics_text(std::span<const LaneStatus> lanes,
                         std::chrono::steady_clock::time_point now, const ProcessStatus& process);

}  // namespace sluice
