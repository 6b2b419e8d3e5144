// What becomes of records that their tables can't take: how they are kept, and the row or the
// message that is made of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "model/cell.hpp"
#include "model/dead_letter.hpp"
#include "model/record.hpp"
#include "model/row.hpp"

namespace sluice {

// Where it was found that a record can't be written: "decode", "map", "encode",
// "size", or "database".
std::string_view rejection_reason(const Error& error);

// A record that is a dead letter, and its rejection_reason().
struct Letter {
    Offset offset;
    std::string_view reason;
};

// Of a record that is too large to be kept: where it is found again stays.
Record without_content(const Record& record);

// Record to the row of a table of dead letters. Pure. One per thread.
class DeadLetterMapper {
public:
    // Key and value as they came. Headers as a JSON array of {"name": …, "value": …}, or "hex"
    // for a value that is not UTF-8; null where there is none. A time outside of the years 1 to
    // 9999, which not every column could hold, is null. `reason` is the error's step and code,
    // `error` its message: neither holds a value of the record. The row lives until the next map(),
    // and no longer than the record.
    Row map(const Record& record, const Error& error, std::uint32_t target);

private:
    std::array<Cell, dead_letter_columns.size()> cells_;
    std::string headers_;
    std::string reason_;
    std::string error_;
};

// The topic that takes them, where it is one. Any thread.
class DeadLetterTopic {
public:
    virtual ~DeadLetterTopic() = default;
    // Copies the record, which is on its way then; does nothing where it is already. `clock` is 0
    // where the destination has none.
    virtual void send(const Record& record, ClockMicros clock, const Error& error) = 0;
    // Waits until the brokers have acknowledged all that any thread has sent. An error, always to
    // be tried again: they have not by `deadline`.
    virtual Result<void> settle(Deadline deadline) = 0;
};

// Records as they came, with their write clock: a database may refuse one when the poll that
// brought it is gone.
class KeptRecords {
public:
    struct Kept {
        Record record;  // Views into the collection, until it is changed or asked again.
        ClockMicros clock;
    };

    // In log order; `record.partition` is not kept.
    void add(const Record& record, ClockMicros clock);
    // Of a record that was added.
    [[nodiscard]] Kept find(const TopicPartition& partition, Offset offset);
    [[nodiscard]] std::size_t bytes() const {
        return bytes_.size() + entries_.size() * sizeof(Entry) +
               headers_.size() * sizeof(HeaderLengths);
    }

private:
    using Length = std::optional<std::uint32_t>;  // Empty: null.
    struct Entry {
        Offset offset;
        ClockMicros clock;
        std::optional<std::int64_t> timestamp_ms;
        std::size_t begin = 0;  // In bytes_: key, value, then names and values of the headers.
        Length key;
        Length value;
        std::uint32_t headers_begin = 0;  // In headers_.
        std::uint32_t headers_count = 0;
    };
    struct HeaderLengths {
        std::uint32_t name = 0;
        Length value;
    };

    Length keep(const std::optional<std::string_view>& bytes);

    std::string bytes_;
    std::vector<Entry> entries_;
    std::vector<HeaderLengths> headers_;
    std::vector<Header> found_headers_;
};

}  // namespace sluice
