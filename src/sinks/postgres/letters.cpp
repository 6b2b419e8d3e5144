#include "sinks/postgres/letters.hpp"

#include <spdlog/fmt/fmt.h>

#include <array>

#include "base/text.hpp"
#include "sinks/postgres/catalog.hpp"

namespace sluice::postgres {
namespace {

using namespace std::chrono_literals;

constexpr auto statement_wait = 75s;
constexpr std::size_t page_max = 5000;  // Letters of one round trip; without their values.

std::string condition(const LetterFilter& filter) {
    if (filter.record) {
        const auto& [partition, offset] = *filter.record;
        return fmt::format("kafka_topic = {} AND kafka_partition = {} AND kafka_offset = {}",
                           quote_literal(partition.topic), partition.partition.value(),
                           offset.value());
    }
    return filter.topic.empty() ? "true" : "kafka_topic = " + quote_literal(filter.topic);
}

std::string behind(const std::optional<LetterKey>& last) {
    return !last ? "true"
                 : fmt::format("(kafka_topic, kafka_partition, kafka_offset, ctid) > "
                               "({}, {}, {}, {}::tid)",
                               quote_literal(last->partition.topic),
                               last->partition.partition.value(), last->offset.value(),
                               quote_literal(last->handle));
}

constexpr std::string_view milliseconds = "(extract(epoch FROM timestamp) * 1000)::bigint";

std::optional<std::int64_t> integer(const Rows& rows, std::size_t row, std::size_t column) {
    return rows.is_null(row, column) ? std::nullopt : std::optional(rows.integer(row, column));
}

std::optional<std::size_t> size(const Rows& rows, std::size_t row, std::size_t column) {
    const auto found = integer(rows, row, column);
    return found ? std::optional(static_cast<std::size_t>(*found)) : std::nullopt;
}

std::optional<std::string> from_hex(const Rows& rows, std::size_t row, std::size_t column) {
    if (rows.is_null(row, column)) {
        return std::nullopt;
    }
    const std::string& hex = rows.text(row, column);
    std::string bytes;
    bytes.reserve(hex.size() / 2);
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes.push_back(static_cast<char>(hex_value(hex[i]) << 4 | hex_value(hex[i + 1])));
    }
    return bytes;
}

class TableLetters final : public LetterStore {
public:
    TableLetters(Connection connection, std::string name, std::optional<std::string> quoted)
        : connection_(std::move(connection)), name_(std::move(name)), quoted_(std::move(quoted)) {}

    [[nodiscard]] std::string name() const override { return "table " + name_; }

    // Page by page, each of its own: between two of them no transaction stays open, and behind a
    // transaction pooler the next may meet another backend.
    Result<void> list(const LetterFilter& filter,
                      const std::function<bool(const LetterInfo&)>& each) override {
        if (!quoted_) {
            return {};
        }
        std::optional<LetterKey> last;
        while (true) {
            SLUICE_ASSIGN(
                const Rows rows,
                script(fmt::format(
                    "SELECT ctid, kafka_topic, kafka_partition, kafka_offset, {}, "
                    "octet_length(key), octet_length(value), reason, error FROM {} WHERE {} AND {} "
                    "ORDER BY kafka_topic, kafka_partition, kafka_offset, ctid LIMIT {}",
                    milliseconds, *quoted_, condition(filter), behind(last), page_max)));
            for (std::size_t r = 0; r < rows.size(); ++r) {
                LetterInfo letter = info(rows, r);
                if (!each(letter)) {
                    return {};
                }
                last = std::move(letter.key);
            }
            if (rows.size() < page_max) {
                return {};
            }
        }
    }

    Result<std::optional<StoredLetter>> get(const LetterKey& key) override {
        SLUICE_ASSIGN(
            const Rows rows,
            script(fmt::format(
                "SELECT ctid, kafka_topic, kafka_partition, kafka_offset, {}, octet_length(key), "
                "octet_length(value), reason, error, encode(key, 'hex'), encode(value, 'hex'), "
                "headers FROM {} WHERE {} AND ctid = {}::tid",
                milliseconds, quoted_.value_or(""),
                condition({.topic = {}, .record = std::pair(key.partition, key.offset)}),
                quote_literal(key.handle))));
        if (rows.size() == 0) {
            return std::optional<StoredLetter>{};
        }
        return std::optional(StoredLetter{.info = info(rows, 0),
                                          .key = from_hex(rows, 0, 9),
                                          .value = from_hex(rows, 0, 10),
                                          .headers = {},
                                          .headers_json = rows.text(0, 11),
                                          .clock = {}});
    }

private:
    Result<Rows> script(const std::string& sql) {
        auto results = connection_.script(sql, Deadline::in(statement_wait), "postgres.dlq");
        if (!results) {
            Error error = std::move(results).error().error;
            error.where = name();
            return fail(std::move(error));
        }
        return std::move(results->back());
    }

    static LetterInfo info(const Rows& rows, std::size_t r) {
        return {.key = {.partition = {rows.text(r, 1),
                                      PartitionId{static_cast<std::int32_t>(rows.integer(r, 2))}},
                        .offset = Offset{rows.integer(r, 3)},
                        .handle = rows.text(r, 0)},
                .timestamp_ms = integer(rows, r, 4),
                .key_bytes = size(rows, r, 5),
                .value_bytes = size(rows, r, 6),
                .reason = rows.text(r, 7),
                .error = rows.text(r, 8)};
    }

    Connection connection_;
    std::string name_;
    std::optional<std::string> quoted_;  // Nothing: there is no such table.
};

}  // namespace

Result<std::unique_ptr<LetterStore>> open_letters(const DestinationOptions& options,
                                                  const std::string& table, Deadline deadline) {
    auto connection = Connection::open(connect_options(options, nullptr), deadline);
    if (!connection) {
        return fail(std::move(connection).error().error);
    }
    auto found = read_table(*connection, parse_table_name(table), deadline);
    if (!found) {
        return fail(std::move(found).error().error);
    }
    return std::make_unique<TableLetters>(
        std::move(*connection), table, *found ? std::optional((*found)->quoted()) : std::nullopt);
}

}  // namespace sluice::postgres
