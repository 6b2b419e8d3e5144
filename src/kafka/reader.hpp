// Reads parts of a log without a consumer group: nobody is joined, nothing is committed.
// Thread: as its owner's; calls never overlap.
#pragma once

#include <functional>
#include <memory>

#include "kafka/client.hpp"
#include "model/record.hpp"

namespace sluice::kafka {

class Reader {
public:
    static Result<Reader> open(const ClientOptions& options, Logger log);
    Reader(Reader&&) noexcept;
    Reader& operator=(Reader&&) noexcept;
    ~Reader();

    // Calls `each` with the committed records of the range, headers included, in the order of the
    // log; a record lives no longer than the call. Ends before range.to, at the partition's end,
    // or where `each` returns false. An error: nothing came for 30 s, or the partition has a fault
    // (see PartitionFault in consumer.hpp).
    Result<void> read(const OffsetRange& range, const std::function<bool(const Record&)>& each);

private:
    struct Impl;
    explicit Reader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::kafka
