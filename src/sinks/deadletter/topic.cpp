#include "sinks/deadletter/topic.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "kafka/producer.hpp"

namespace sluice::deadletter {
namespace {

using namespace std::chrono_literals;

// The lock is free between two slices: a lane and its writers share the topic.
constexpr auto slice = 20ms;
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
        const bool known = std::ranges::any_of(pending_, [&](const auto& entry) {
            return entry.second.offset == record.offset &&
                   entry.second.partition == *record.partition;
        });
        if (known) {
            return;
        }
        auto letter = pending_.try_emplace(++last_tag_).first;
        letter->second.partition = *record.partition;
        letter->second.offset = record.offset;
        letter->second.record.add(record, clock);
        letter->second.reasons = reasons(record, clock, error, group_);
        send(letter->first, letter->second);
    }

    Result<void> settle(Deadline deadline) override {
        while (true) {
            const std::lock_guard lock(mutex_);
            if (pending_.empty()) {
                return {};
            }
            if (again_.passed()) {
                send_again();
            }
            if (producer_) {
                producer_->serve(std::min(deadline.left(), std::chrono::milliseconds{slice}));
            }
            if (pending_.empty()) {
                trouble_.reset();
                return {};
            }
            if (deadline.passed()) {
                return fail(trouble());
            }
        }
    }

private:
    struct Letter {
        TopicPartition partition;
        Offset offset;
        KeptRecords record;
        std::vector<std::pair<std::string, std::string>> reasons;
        bool sent = false;
        bool keeps_time = true;  // Until the broker refuses it: then a header has it.
    };

    void send(std::uint64_t tag, Letter& letter) {
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
        auto kept = letter.record.find(letter.partition, letter.offset);
        if (!letter.keeps_time) {
            kept.record.timestamp_ms.reset();
        }
        if (auto sent = producer_->send(topic_, kept.record, more, tag); !sent) {
            trouble_ = std::move(sent).error();
            return;
        }
        letter.sent = true;
    }

    // Inside of serve(), so with the lock held.
    void delivered(std::uint64_t tag, const std::optional<Error>& error) {
        const auto letter = pending_.find(tag);
        if (letter == pending_.end()) {
            return;
        }
        if (!error) {
            pending_.erase(letter);
            return;
        }
        trouble_ = *error;
        letter->second.sent = false;
        again_ = Deadline::in(again_after);
        if (error->code == "INVALID_TIMESTAMP" && letter->second.keeps_time) {
            leave_time_out(letter->second);
        }
        ended_ = ended_ || error->action == Action::stop;
    }

    // A broker takes no time that is more than an hour ahead of its own (Kafka 4's
    // log.message.timestamp.after.max.ms); the record's own topic may have taken it.
    void leave_time_out(Letter& letter) {
        letter.keeps_time = false;
        const auto kept = letter.record.find(letter.partition, letter.offset);
        if (kept.record.timestamp_ms) {
            letter.reasons.emplace_back("sluice.timestamp",
                                        std::to_string(*kept.record.timestamp_ms));
        }
        again_ = Deadline::in(0ms);
    }

    void send_again() {
        again_ = Deadline::in(again_after);
        if (std::exchange(ended_, false)) {
            producer_.reset();  // It sends nothing more; what it has is sent by the next one.
            for (auto& [tag, letter] : pending_) {
                letter.sent = false;
            }
        }
        for (auto& [tag, letter] : pending_) {
            if (!letter.sent) {
                send(tag, letter);
            }
        }
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
    std::map<std::uint64_t, Letter> pending_;  // By tag.
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
