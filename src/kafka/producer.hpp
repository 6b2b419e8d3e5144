// Sends records and tells what the brokers acknowledged: idempotent, acks=all, lz4, keys placed
// as Java places them (murmur2_random).
// Memory: at most 64 MiB of records, 400,000 of them, wait to be acknowledged (librdkafka's
// queue.buffering.max.*); each costs some 200 bytes more. A record that no broker took within
// delivery.timeout.ms (60 s) has failed.
// Thread: all calls come from one thread; results are delivered by serve() and flush() on it.
// After an error with Action::stop it sends nothing more: open another.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "kafka/client.hpp"
#include "model/record.hpp"

namespace sluice::kafka {

// `tag` is what send() was given; the error is empty for an acknowledged record.
using Delivery = std::function<void(std::uint64_t tag, const std::optional<Error>& error)>;

class Producer {
public:
    static Result<Producer> open(const ClientOptions& options, Logger log, Delivery delivered);
    Producer(Producer&&) noexcept;
    Producer& operator=(Producer&&) noexcept;
    // What flush() did not see through may be lost. Waits for the client's threads only.
    ~Producer();

    // Copies key and value. A full queue is Action::retry: serve() and send again.
    Result<void> send(const std::string& topic, std::optional<std::string_view> key,
                      std::optional<std::string_view> value, std::uint64_t tag);
    // The same of a whole record, with its timestamp, its headers and `more` behind them.
    Result<void> send(const std::string& topic, const Record& record, std::span<const Header> more,
                      std::uint64_t tag);
    // Delivers results for up to `wait`.
    void serve(std::chrono::milliseconds wait);
    // Waits until all is acknowledged or has failed; false at the deadline.
    bool flush(Deadline deadline);

private:
    struct Impl;
    explicit Producer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::kafka
