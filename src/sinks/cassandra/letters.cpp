#include "sinks/cassandra/letters.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>

#include "sinks/cassandra/plan.hpp"
#include "sinks/cassandra/schema.hpp"

namespace sluice::cassandra {
namespace {

using namespace std::chrono_literals;

constexpr auto read_wait = 30s;
// CQL has no length of a blob: to tell sizes the values are read, and so few at a time.
constexpr int page_max = 16;

// A Cassandra partition of the table.
struct Part {
    std::string topic;
    std::int64_t partition = 0;
    std::int64_t bucket = 0;
    auto operator<=>(const Part&) const = default;
};

std::optional<std::size_t> size_of(const Rows& rows, std::size_t row, std::size_t column) {
    return rows.is_null(row, column) ? std::nullopt : std::optional(rows.text(row, column).size());
}

std::optional<std::string> bytes_of(const Rows& rows, std::size_t row, std::size_t column) {
    return rows.is_null(row, column) ? std::nullopt : std::optional(rows.text(row, column));
}

class TableLetters final : public LetterStore {
public:
    TableLetters(Session session, std::string name, const std::optional<Table>& table)
        : session_(std::move(session)), name_(std::move(name)) {
        if (table) {
            table_ = table->quoted();
            buckets_ = table->find("bucket") != nullptr;
        }
    }

    [[nodiscard]] std::string name() const override { return "table " + name_; }

    Result<void> list(const LetterFilter& filter,
                      const std::function<bool(const LetterInfo&)>& each) override {
        if (table_.empty()) {
            return {};
        }
        if (filter.record) {
            const auto& [partition, offset] = *filter.record;
            SLUICE_TRY(list_part(part_of(partition, offset), offset, offset, each));
            return {};
        }
        SLUICE_ASSIGN(auto parts, read_parts(filter.topic));
        for (const auto& part : parts) {
            SLUICE_ASSIGN(
                const bool more,
                list_part(part, Offset{0}, Offset{std::numeric_limits<std::int64_t>::max()}, each));
            if (!more) {
                break;
            }
        }
        return {};
    }

    Result<std::optional<StoredLetter>> get(const LetterKey& key) override {
        SLUICE_ASSIGN(
            const Rows rows,
            query(fmt::format("SELECT kafka_offset, timestamp, key, value, reason, error, "
                              "headers, WRITETIME(reason) FROM {} WHERE {} AND "
                              "kafka_offset = {}",
                              table_, condition(part_of(key.partition, key.offset)),
                              key.offset.value())));
        if (rows.size() == 0) {
            return std::optional<StoredLetter>{};
        }
        return std::optional(StoredLetter{.info = info(key.partition, rows, 0),
                                          .key = bytes_of(rows, 0, 2),
                                          .value = bytes_of(rows, 0, 3),
                                          .headers = {},
                                          .headers_json = rows.text(0, 6),
                                          .clock = ClockMicros{rows.integer(0, 7)}});
    }

private:
    Result<Rows> query(const std::string& cql) {
        auto rows = session_.query(cql, Deadline::in(read_wait));
        if (!rows) {
            rows.error().where = name();
        }
        return rows;
    }

    static Part part_of(const TopicPartition& partition, Offset offset) {
        return {partition.topic, partition.partition.value(), offset.value() / bucket_offsets};
    }

    [[nodiscard]] std::string condition(const Part& part) const {
        return fmt::format("kafka_topic = {} AND kafka_partition = {}{}", quote_text(part.topic),
                           part.partition,
                           buckets_ ? fmt::format(" AND bucket = {}", part.bucket) : "");
    }

    // One for 4,096 offsets that have a letter.
    Result<std::vector<Part>> read_parts(const std::string& topic) {
        SLUICE_ASSIGN(const Rows rows,
                      query(fmt::format("SELECT DISTINCT kafka_topic, kafka_partition{} FROM {}",
                                        buckets_ ? ", bucket" : "", table_)));
        std::vector<Part> parts;
        for (std::size_t r = 0; r < rows.size(); ++r) {
            Part part{rows.text(r, 0), rows.integer(r, 1), buckets_ ? rows.integer(r, 2) : 0};
            if (topic.empty() || part.topic == topic) {
                parts.push_back(std::move(part));
            }
        }
        std::ranges::sort(parts);
        return parts;
    }

    // False where `each` has had enough.
    Result<bool> list_part(const Part& part, Offset from, Offset last,
                           const std::function<bool(const LetterInfo&)>& each) {
        const TopicPartition partition{part.topic,
                                       PartitionId{static_cast<std::int32_t>(part.partition)}};
        while (true) {
            SLUICE_ASSIGN(
                const Rows rows,
                query(fmt::format("SELECT kafka_offset, timestamp, key, value, reason, error "
                                  "FROM {} WHERE {} AND kafka_offset >= {} AND kafka_offset <= {} "
                                  "LIMIT {}",
                                  table_, condition(part), from.value(), last.value(), page_max)));
            for (std::size_t r = 0; r < rows.size(); ++r) {
                const LetterInfo letter = info(partition, rows, r);
                from = letter.key.offset.next();
                if (!each(letter)) {
                    return false;
                }
            }
            if (rows.size() < page_max || from > last) {
                return true;
            }
        }
    }

    static LetterInfo info(const TopicPartition& partition, const Rows& rows, std::size_t r) {
        return {.key = {.partition = partition, .offset = Offset{rows.integer(r, 0)}, .handle = {}},
                .timestamp_ms = rows.is_null(r, 1) ? std::nullopt
                                                   : std::optional(rows.integer(r, 1)),
                .key_bytes = size_of(rows, r, 2),
                .value_bytes = size_of(rows, r, 3),
                .reason = rows.text(r, 4),
                .error = rows.text(r, 5)};
    }

    Session session_;
    std::string name_;
    std::string table_;  // Quoted; empty: there is none.
    bool buckets_ = true;
};

}  // namespace

Result<std::unique_ptr<LetterStore>> open_letters(const DestinationOptions& options,
                                                  const std::string& table, Deadline deadline) {
    SLUICE_ASSIGN(auto session, Session::connect(connect_options(options), deadline));
    SLUICE_ASSIGN(const auto found,
                  read_table(session, split_name(table, options.keyspace), deadline));
    return std::make_unique<TableLetters>(std::move(session), table, found);
}

}  // namespace sluice::cassandra
