#include "sinks/deadletter/topic.hpp"

#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "kafka/producer.hpp"

namespace sluice::deadletter {
namespace {

using namespace std::chrono_literals;

// A lane and its writers share the topic: the lock is held for a slice, then free for a pause, or
// whoever settles would keep the others from sending.
constexpr auto slice = 20ms;
constexpr auto pause = 1ms;
// How soon what the brokers refused is sent again.
constexpr auto again_after = 500ms;

// The stage that Connect would name (org.apache.kafka.connect.runtime.errors.Stage).
std::string_view stage_of(const Error& error) {
    const auto reason = rejection_reason(error);
    return reason == "decode" ? "VALUE_CONVERTER" : reason == "map" ? "TRANSFORMATION" : "TASK_PUT";
}

// What a record's headers are followed by.
std::vector<std::pair<std::string, std::string>> reasons(const Record& record, ClockMicros clock,
                                                         const Error& error,
                                                         const std::string& group) {
    const std::string kind = error.code.empty() ? error.op : error.op + " " + error.code;
    std::vector<std::pair<std::string, std::string>> headers{
        {"__connect.errors.topic", record.partition->topic},
        {"__connect.errors.partition", std::to_string(record.partition->partition.value())},
        {"__connect.errors.offset", std::to_string(record.offset.value())},
        {"__connect.errors.connector.name", group},
        {"__connect.errors.task.id", "0"},
        {"__connect.errors.stage", std::string(stage_of(error))},
        {"__connect.errors.class.name", "sluice"},
        {"__connect.errors.exception.class.name", kind},
        {"__connect.errors.exception.message", error.message()},
        {"__connect.errors.exception.stacktrace", kind}};
    // The topic may stamp its own time, or refuse the record's: of a letter that was sent twice a
    // replay must see one.
    headers.emplace_back("sluice.timestamp",
                         record.timestamp_ms ? std::to_string(*record.timestamp_ms) : "none");
    if (clock != ClockMicros{0}) {
        headers.emplace_back("sluice.clock", std::to_string(clock.value()));
    }
    return headers;
}

class Topic final : public DeadLetterTopic {
public:
    Topic(kafka::ClientOptions client, std::string topic, std::string group, Logger log)
        : client_(std::move(client)),
          topic_(std::move(topic)),
          group_(std::move(group)),
          log_(std::move(log)) {}

    void send(const Record& record, ClockMicros clock, const Error& error) override {
        const std::lock_guard lock(mutex_);
        const auto [entry, fresh] = pending_.try_emplace({*record.partition, record.offset});
        if (fresh) {
            entry->second.record.add(record, clock);
            entry->second.reasons = reasons(record, clock, error, group_);
            send(entry);
        }
    }

    Result<void> settle(Deadline deadline) override {
        while (!settled()) {
            if (deadline.passed()) {
                const std::lock_guard lock(mutex_);
                return fail(trouble());
            }
            std::this_thread::sleep_for(pause);
        }
        return {};
    }

private:
    struct Letter {
        KeptRecords record;
        std::vector<std::pair<std::string, std::string>> reasons;
        bool sent = false;
        bool keeps_time = true;  // Until the broker refuses it.
    };

    using Pending = std::map<std::pair<TopicPartition, Offset>, Letter>;

    // For one slice of time.
    bool settled() {
        const std::lock_guard lock(mutex_);
        if (!pending_.empty() && again_.passed()) {
            send_again();
        }
        if (!pending_.empty() && producer_) {
            producer_->serve(slice);
        }
        if (pending_.empty()) {
            trouble_.reset();
        }
        return pending_.empty();
    }

    void send(Pending::iterator entry) {
        Letter& letter = entry->second;
        if (!producer_) {
            auto opened = kafka::Producer::open(
                client_, log_, [this](std::uint64_t done, const std::optional<Error>& error) {
                    delivered(done, error);
                });
            if (!opened) {
                trouble_ = std::move(opened).error();
                return;
            }
            producer_.emplace(std::move(*opened));
        }
        std::vector<Header> more;
        for (const auto& [name, value] : letter.reasons) {
            more.push_back({name, value});
        }
        auto kept = kept_of(*entry);
        if (!letter.keeps_time) {
            kept.record.timestamp_ms.reset();
        }
        if (auto sent = producer_->send(topic_, kept.record, more, ++last_tag_); !sent) {
            trouble_ = std::move(sent).error();
            ended_ = ended_ || trouble_->action == Action::stop;
            return;
        }
        by_tag_.emplace(last_tag_, entry);
        letter.sent = true;
    }

    // Inside of serve(), so with the lock held.
    void delivered(std::uint64_t tag, const std::optional<Error>& error) {
        const auto entry = by_tag_.extract(tag).mapped();
        if (!error) {
            pending_.erase(entry);
            return;
        }
        trouble_ = *error;
        entry->second.sent = false;
        again_ = Deadline::in(again_after);
        if (error->code == "INVALID_TIMESTAMP" && entry->second.keeps_time) {
            // No broker takes a time that is more than an hour ahead of its own (Kafka 4's
            // log.message.timestamp.after.max.ms); the record's own topic may have.
            entry->second.keeps_time = false;
            again_ = Deadline::in(0ms);
        }
        ended_ = ended_ || error->action == Action::stop;
    }

    void send_again() {
        again_ = Deadline::in(again_after);
        if (std::exchange(ended_, false)) {
            producer_.reset();  // It sends nothing more; what it has is sent by the next one.
            by_tag_.clear();
            for (auto& [id, letter] : pending_) {
                letter.sent = false;
            }
        }
        for (auto entry = pending_.begin(); entry != pending_.end(); ++entry) {
            if (!entry->second.sent) {
                send(entry);
            }
        }
    }

    static KeptRecords::Kept kept_of(Pending::value_type& entry) {
        return entry.second.record.find(entry.first.first, entry.first.second);
    }

    [[nodiscard]] Error trouble() const {
        Error error = trouble_.value_or(Error{.action = Action::retry,
                                              .op = "kafka.produce",
                                              .where = topic_,
                                              .code = {},
                                              .detail = "no broker acknowledged it yet",
                                              .hint = {}});
        error.action = Action::retry;
        error.detail = "dead letters wait for their topic: " + error.detail;
        return error;
    }

    kafka::ClientOptions client_;
    std::string topic_;
    std::string group_;
    Logger log_;
    std::mutex mutex_;
    Pending pending_;
    std::unordered_map<std::uint64_t, Pending::iterator> by_tag_;  // Those that are sent.
    std::uint64_t last_tag_ = 0;
    std::optional<Error> trouble_;
    Deadline again_ = Deadline::in(0ms);
    bool ended_ = false;
    std::optional<kafka::Producer> producer_;
};

}  // namespace

std::shared_ptr<DeadLetterTopic> make_topic(kafka::ClientOptions client, std::string topic,
                                            std::string group, Logger log) {
    return std::make_shared<Topic>(std::move(client), std::move(topic), std::move(group),
                                   std::move(log));
}

}  // namespace sluice::deadletter
