#include "sinks/deadletter/letters.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "kafka/admin.hpp"
#include "kafka/reader.hpp"

namespace sluice::deadletter {
namespace {

template <class Number>
std::optional<Number> number(const std::optional<std::string_view>& text) {
    Number value = 0;
    if (!text) {
        return std::nullopt;
    }
    const auto* const end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, value);
    return parsed.ec == std::errc{} && parsed.ptr == end && value >= 0 ? std::optional(value)
                                                                       : std::nullopt;
}

// What we have put behind a record's own headers; it may have had some of the same names.
class OurHeaders {
public:
    explicit OurHeaders(std::span<const Header> headers) : headers_(headers) {
        const auto last = std::find_if(headers.rbegin(), headers.rend(), [](const Header& header) {
            return header.name == "__connect.errors.topic";
        });
        begin_ = static_cast<std::size_t>(headers.rend() - last);
        begin_ = begin_ == 0 ? headers.size() : begin_ - 1;
    }
    [[nodiscard]] std::span<const Header> before() const { return headers_.first(begin_); }
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const {
        const auto ours = headers_.subspan(begin_);
        const auto found = std::ranges::find(ours, name, &Header::name);
        return found == ours.end() ? std::nullopt : found->value;
    }
    [[nodiscard]] std::string text(std::string_view name) const {
        return std::string(find(name).value_or(""));
    }

private:
    std::span<const Header> headers_;
    std::size_t begin_ = 0;
};

// Nothing: not a letter of this group.
std::optional<LetterInfo> info_of(const Record& message, const std::string& group) {
    const OurHeaders ours(message.headers);
    const auto partition = number<std::int32_t>(ours.find("__connect.errors.partition"));
    const auto offset = number<std::int64_t>(ours.find("__connect.errors.offset"));
    if (ours.find("__connect.errors.connector.name") != std::string_view(group) || !partition ||
        !offset) {
        return std::nullopt;
    }
    const auto own_time = ours.find("sluice.timestamp");
    const auto size = [](const std::optional<std::string_view>& bytes) {
        return bytes ? std::optional(bytes->size()) : std::nullopt;
    };
    return LetterInfo{
        .key = {.partition = {ours.text("__connect.errors.topic"), PartitionId{*partition}},
                .offset = Offset{*offset},
                .handle = message.where()},
        .timestamp_ms = own_time ? number<std::int64_t>(own_time) : message.timestamp_ms,
        .key_bytes = size(message.key),
        .value_bytes = size(message.value),
        .reason = ours.text("__connect.errors.exception.class.name"),
        .error = ours.text("__connect.errors.exception.message")};
}

std::optional<std::string> copy(const std::optional<std::string_view>& bytes) {
    return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
}

class TopicLetters final : public LetterStore {
public:
    TopicLetters(kafka::Reader reader, std::string topic, std::string group,
                 std::vector<OffsetRange> ranges)
        : reader_(std::move(reader)),
          topic_(std::move(topic)),
          group_(std::move(group)),
          ranges_(std::move(ranges)) {}

    [[nodiscard]] std::string name() const override { return "topic " + topic_; }

    Result<void> list(const LetterFilter& filter,
                      const std::function<bool(const LetterInfo&)>& each) override {
        bool more = true;
        for (const auto& range : ranges_) {
            SLUICE_TRY(reader_.read(range, [&](const Record& message) {
                const auto letter = info_of(message, group_);
                if (letter && matches(filter, *letter)) {
                    listed_ = whole(message);
                    more = each(*letter);
                }
                return more;
            }));
            if (!more) {
                break;
            }
        }
        return {};
    }

    Result<std::optional<StoredLetter>> get(const LetterKey& key) override {
        if (listed_ && listed_->info.key.handle == key.handle) {
            return listed_;
        }
        std::optional<StoredLetter> letter;
        for (const auto& range : ranges_) {
            const std::string prefix = range.partition.to_string() + "@";
            if (!key.handle.starts_with(prefix)) {
                continue;
            }
            const auto offset = number<std::int64_t>(
                std::string_view(key.handle).substr(prefix.size()));
            const Offset from{offset.value_or(0)};
            SLUICE_TRY(
                reader_.read({range.partition, from, from.next()}, [&](const Record& message) {
                    letter = whole(message);
                    return false;
                }));
        }
        return letter;
    }

private:
    static bool matches(const LetterFilter& filter, const LetterInfo& letter) {
        if (filter.record && (filter.record->first != letter.key.partition ||
                              filter.record->second != letter.key.offset)) {
            return false;
        }
        return filter.topic.empty() || filter.topic == letter.key.partition.topic;
    }

    [[nodiscard]] std::optional<StoredLetter> whole(const Record& message) const {
        auto info = info_of(message, group_);
        if (!info) {
            return std::nullopt;
        }
        const OurHeaders ours(message.headers);
        StoredLetter letter{
            .info = *std::move(info),
            .key = copy(message.key),
            .value = copy(message.value),
            .headers = {},
            .headers_json = {},
            .clock = ClockMicros{number<std::int64_t>(ours.find("sluice.clock")).value_or(0)}};
        for (const auto& header : ours.before()) {
            letter.headers.push_back({std::string(header.name), copy(header.value)});
        }
        return letter;
    }

    kafka::Reader reader_;
    std::string topic_;
    std::string group_;
    std::vector<OffsetRange> ranges_;     // Of the topic, as they were at the opening.
    std::optional<StoredLetter> listed_;  // The last one: what list() gives is asked for next.
};

}  // namespace

Result<std::unique_ptr<LetterStore>> open_letters(const kafka::ClientOptions& client,
                                                  const std::string& topic,
                                                  const std::string& group, const Logger& log,
                                                  Deadline deadline) {
    SLUICE_ASSIGN(auto admin, kafka::Admin::open(client, log));
    const std::array topics{topic};
    SLUICE_ASSIGN(const auto described, admin.describe(topics, deadline));
    if (described.front().error) {
        return fail(*described.front().error);
    }
    std::vector<TopicPartition> partitions;
    for (std::int32_t p = 0; p < described.front().partitions; ++p) {
        partitions.push_back({topic, PartitionId{p}});
    }
    SLUICE_ASSIGN(const auto begins, admin.offsets(partitions, kafka::Earliest{}, deadline));
    SLUICE_ASSIGN(const auto ends, admin.offsets(partitions, kafka::Latest{}, deadline));
    std::vector<OffsetRange> ranges;
    for (std::size_t p = 0; p < partitions.size(); ++p) {
        ranges.push_back({partitions[p], begins[p], ends[p]});
    }
    SLUICE_ASSIGN(auto reader, kafka::Reader::open(client, log));
    return std::make_unique<TopicLetters>(std::move(reader), topic, group, std::move(ranges));
}

}  // namespace sluice::deadletter
