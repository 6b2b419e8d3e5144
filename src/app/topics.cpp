#include "app/topics.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "app/check.hpp"
#include "app/wiring.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto look_every = 10s;
constexpr auto look_again = 1s;  // Where nobody answered, or nothing is there yet.
constexpr auto list_wait = 2s;   // The end of the process may wait for it.

std::set<std::string> topics_of(std::span<const Route> routes) {
    std::set<std::string> topics;
    for (const auto& route : routes) {
        topics.insert(route.topics.begin(), route.topics.end());
    }
    return topics;
}

}  // namespace

Error no_topic(const Config& config) {
    std::vector<std::string> patterns;
    const Place* place = &config.kafka.place;
    for (const auto& route : config.routes) {
        if (!route.topic_pattern.empty()) {
            place = patterns.empty() ? &route.place : place;
            patterns.push_back(route.topic_pattern);
        }
    }
    std::string all;
    for (const auto& pattern : patterns) {
        all.append(all.empty() ? "" : ", ").append(pattern);
    }
    return {.action = Action::retry,
            .op = "kafka.topics",
            .where = place->to_string(),
            .code = {},
            .detail = "no topic is there that topic_pattern finds: " + all,
            .hint = "a pattern must match a whole name"};
}

Result<Expanded> with_topics(const Config& config, Deadline deadline) {
    std::vector<std::string> names;
    if (finds_topics(config)) {
        SLUICE_ASSIGN(auto admin,
                      kafka::Admin::open(client_options(config.kafka), make_logger("kafka")));
        SLUICE_ASSIGN(names, admin.topics(deadline));
    }
    return expand(config, names);
}

TopicWatch::TopicWatch(Config config, std::string lane, Logger log)
    : config_(std::move(config)), lane_(std::move(lane)), log_(std::move(log)) {
    thread_ = std::thread([this] { run(); });
    (void)pthread_setname_np(thread_.native_handle(), "topics");
}

TopicWatch::~TopicWatch() {
    end();
    thread_.join();
}

void TopicWatch::end() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_all();
}

std::optional<Config> TopicWatch::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(next_, std::nullopt);
}

std::optional<Error> TopicWatch::trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
}

void TopicWatch::run() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        lock.unlock();
        look();
        lock.lock();
        wake_.wait_for(lock, taken_.empty() ? look_again : look_every, [&] { return ending_; });
    }
}

void TopicWatch::look() {
    auto names = list();
    if (!names) {
        const std::lock_guard lock(mutex_);
        trouble_ = std::move(names).error();
        return;
    }
    // Who is gone for the moment stays: the lane tells what became of it.
    names->insert(names->end(), taken_.begin(), taken_.end());
    const Expanded expanded = expand(config_, *names);
    for (const auto& error : expanded.refused) {
        tell(error.message());
    }
    const auto found = topics_of(routes_of(expanded.config, lane_));
    const auto wanted = found == taken_ ? taken_ : fit(found);
    auto next =
        wanted == taken_
            ? std::nullopt
            : std::optional(
                  expand(config_, std::vector<std::string>(wanted.begin(), wanted.end())).config);
    for (const auto& topic : wanted) {
        if (!taken_.contains(topic) && !taken_.empty()) {
            log_->info("{}: takes the topic {} from now on", lane_, topic);
        }
    }
    taken_ = wanted;
    const std::lock_guard lock(mutex_);
    trouble_ = taken_.empty() ? std::optional(no_topic(config_)) : std::nullopt;
    next_ = next ? std::move(next) : std::move(next_);
}

Result<std::vector<std::string>> TopicWatch::list() {
    if (!admin_) {
        SLUICE_ASSIGN(admin_,
                      kafka::Admin::open(client_options(config_.kafka), make_logger("kafka")));
    }
    return admin_->topics(Deadline::in(list_wait));
}

std::set<std::string> TopicWatch::fit(const std::set<std::string>& found) {
    const Config all = expand(config_, std::vector<std::string>(found.begin(), found.end())).config;
    const auto routes = routes_of(all, lane_);
    const auto inspection = routes.empty() ? Result<Inspection>{} : inspect(all, lane_, routes);
    if (!inspection || !inspection->problems.empty()) {
        // At the start it is the lane that tells why its database is of no use.
        return taken_.empty() ? found : taken_;
    }
    std::set<std::string> fit = found;
    for (const auto& problem : inspection->target_problems) {
        for (const auto& topic : routes[problem.route].topics) {
            if (!taken_.contains(topic) && fit.erase(topic) == 1) {
                tell("topic '" + topic + "' is left out for now: " + problem.error.message());
            }
        }
    }
    return fit.empty() ? found : fit;
}

void TopicWatch::tell(const std::string& message) {
    if (told_.insert(message).second) {
        log_->error("{}: {}", lane_, message);
    }
}

}  // namespace sluice
