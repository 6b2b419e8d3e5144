// The topics that patterns find: once, or for as long as a lane runs.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "app/config.hpp"
#include "app/expand.hpp"
#include "base/deadline.hpp"
#include "base/log.hpp"
#include "kafka/admin.hpp"

namespace sluice {

// `config` with the topics that are there. Asks Kafka only where a pattern has to find them.
Result<Expanded> with_topics(const Config& config, Deadline deadline);
// For a lane whose patterns find nothing.
Error no_topic(const Config& config);

// Looks every ten seconds, on a thread of its own, which topics a lane is to read.
class TopicWatch {
public:
    // Starts the thread. A topic that comes while the lane runs is taken once its tables are seen
    // to be fit for it; what keeps it out is logged.
    TopicWatch(Config config, std::string lane, Logger log);
    TopicWatch(const TopicWatch&) = delete;
    TopicWatch& operator=(const TopicWatch&) = delete;
    ~TopicWatch();  // Waits for a look that is under way.
    // Asks nobody any more. Returns at once.
    void end();

    // What the lane is to read from now on; nothing where that is as it was. From any thread.
    std::optional<Config> take();
    // Why nobody knows the topics. From any thread.
    [[nodiscard]] std::optional<Error> trouble() const;

private:
    void run();
    void look();
    Result<std::vector<std::string>> list();
    // Those of `found` whose tables can take them.
    std::set<std::string> fit(const std::set<std::string>& found);
    void tell(const std::string& message);

    const Config config_;
    const std::string lane_;
    const Logger log_;
    // The thread's own.
    std::optional<kafka::Admin> admin_;
    std::set<std::string> taken_;
    std::set<std::string> told_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool ending_ = false;
    std::optional<Config> next_;
    std::optional<Error> trouble_;

    std::thread thread_;
};

}  // namespace sluice
