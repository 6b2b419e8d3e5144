// A lane that reads the topics its patterns find: it is replaced by another one when more of them
// come. Thread: the supervisor's.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/config.hpp"
#include "app/lane.hpp"
#include "app/topics.hpp"

namespace sluice {

class FollowedLane {
public:
    FollowedLane(const Config& config, std::string name, bool until_end);

    void start();
    // Call it about ten times a second.
    void follow();
    // As Lane's.
    void stop(Deadline deadline, kafka::Membership membership);
    void join();
    [[nodiscard]] LaneStatus status() const;

private:
    [[nodiscard]] bool replacing() const { return next_ && lane_ && !stopping_; }

    const Config& config_;
    std::string name_;
    bool until_end_;
    std::unique_ptr<TopicWatch> watch_;  // Null where all topics have names.
    std::optional<Config> next_;         // What is to be read, if it is not what is.
    std::unique_ptr<Lane> lane_;         // Null while there is nothing to be read.
    LaneStatus before_;                  // The counters of the lanes that were replaced.
    bool stopping_ = false;
};

}  // namespace sluice
