// Dead letters that are stored already: what `sluice dlq` lists, shows and replays.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "model/ids.hpp"
#include "model/record.hpp"
#include "model/row.hpp"
#include "model/target.hpp"

namespace sluice {

// Which letter: the place of its record, and the store's own handle, since a place may have
// several letters (a record that was read again after a reset).
struct LetterKey {
    TopicPartition partition;
    Offset offset;
    std::string handle;

    [[nodiscard]] std::string where() const { return partition.at(offset); }
};

struct LetterInfo {
    LetterKey key;
    std::optional<std::int64_t> timestamp_ms;
    std::optional<std::size_t> key_bytes;  // Empty: null.
    std::optional<std::size_t> value_bytes;
    std::string reason;
    std::string error;
};

struct StoredHeader {
    std::string name;
    std::optional<std::string> value;
};

struct StoredLetter {
    LetterInfo info;
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::vector<StoredHeader> headers;
    std::string headers_json;  // As DeadLetterMapper wrote them, where `headers` is still empty.
    ClockMicros clock;         // The record's own; 0 where the store keeps none.
};

// Views into the letter and into `headers`, which is filled.
Record record_of(const StoredLetter& letter, std::vector<Header>& headers);

struct LetterFilter {
    std::string topic;                                        // Empty: every one.
    std::optional<std::pair<TopicPartition, Offset>> record;  // Only this one's.
};

// Where they are. Thread: its owner's. Each call ends by a deadline of its own.
class LetterStore {
public:
    virtual ~LetterStore() = default;
    // "table public.lost"
    [[nodiscard]] virtual std::string name() const = 0;
    // As they are now; a table's by topic, partition and offset. Ends early where `each` returns
    // false, which may call get() for the letter that it was given.
    virtual Result<void> list(const LetterFilter& filter,
                              const std::function<bool(const LetterInfo&)>& each) = 0;
    // Nothing: it is gone.
    virtual Result<std::optional<StoredLetter>> get(const LetterKey& key) = 0;
};

// Takes dead letters back into the tables of their routes. Thread: its owner's. Each call ends by
// a deadline of its own.
class LetterWriter {
public:
    virtual ~LetterWriter() = default;
    // Complete. Their last targets are the dead letters' table, where there is one.
    [[nodiscard]] virtual std::span<const Route> routes() const = 0;
    // The id of the topic on which the pipeline has progress.
    virtual Result<std::optional<Uuid>> topic_id(const std::string& topic) = 0;
    // Writes the rows of the letter's record, and takes the letter out where it is in a table.
    // False: it was replayed before, and nothing is written. After Action::retry and verify the
    // writer is of no more use; whoever starts again finds out what became of the letter.
    virtual Result<bool> replay(std::uint32_t route, const StoredLetter& letter,
                                const Record& record, std::span<const Row> rows) = 0;
};

}  // namespace sluice
