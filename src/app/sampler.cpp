#include "app/sampler.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "app/wiring.hpp"
#include "base/log.hpp"
#include "decode/decode.hpp"
#include "kafka/admin.hpp"
#include "kafka/reader.hpp"
#include "map/sample.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto ask_wait = 15s;

// The oldest and the newest of a partition; all of it, where that is not more.
std::vector<OffsetRange> parts_of(const TopicPartition& partition, Offset begin, Offset end,
                                  std::int64_t count) {
    if (end.value() - begin.value() <= count) {
        return {{partition, begin, end}};
    }
    const std::int64_t oldest = (count + 1) / 2;
    return {{partition, begin, Offset(begin.value() + oldest)},
            {partition, Offset(end.value() - (count - oldest)), end}};
}

Error no_records(const Route& route) {
    return {.action = Action::retry,
            .op = "kafka.sample",
            .where = "topic '" + route.topics.front() + "'",
            .code = {},
            .detail = "there is no record yet from which a table could be made",
            .hint = "waits for the first one; or create the table"};
}

}  // namespace

Result<void> read_sample(const KafkaConfig& kafka, const std::string& topic, std::size_t count,
                         const std::function<bool(const Record&)>& each) {
    const Logger log = make_logger("kafka");
    SLUICE_ASSIGN(auto admin, kafka::Admin::open(client_options(kafka), log));
    SLUICE_ASSIGN(const auto described, admin.describe(std::vector{topic}, Deadline::in(ask_wait)));
    const kafka::TopicInfo& info = described.front();
    if (info.error) {
        return fail(*info.error);
    }
    std::vector<TopicPartition> partitions;
    for (std::int32_t p = 0; p < info.partitions; ++p) {
        partitions.push_back({topic, PartitionId{p}});
    }
    SLUICE_ASSIGN(const auto begins,
                  admin.offsets(partitions, kafka::Earliest{}, Deadline::in(ask_wait)));
    SLUICE_ASSIGN(const auto ends,
                  admin.offsets(partitions, kafka::Latest{}, Deadline::in(ask_wait)));
    SLUICE_ASSIGN(auto reader, kafka::Reader::open(client_options(kafka), log));
    const std::size_t share = (count + partitions.size() - 1) / partitions.size();
    bool more = true;
    for (std::size_t i = 0; i < partitions.size(); ++i) {
        const auto parts = parts_of(partitions[i], begins[i], ends[i],
                                    static_cast<std::int64_t>(share));
        for (const auto& range : parts) {
            SLUICE_TRY(reader.read(range, [&](const Record& record) {
                more = more && each(record);
                return more;
            }));
        }
    }
    return {};
}

ShapeFinder shape_finder(const Config& config) {
    return [kafka = config.kafka](const Route& route, std::size_t index) -> Result<TableShape> {
        const Target& target = route.targets[index];
        TableSample sample(target);
        Decoder decoder;
        Event event;
        const std::size_t topics = route.topics.size();
        for (const auto& topic : route.topics) {
            const std::size_t count = (target.create->sample + topics - 1) / topics;
            SLUICE_TRY(read_sample(kafka, topic, count, [&](const Record& record) {
                // A record that can't be read is refused later, and tells nothing.
                if (decoder.decode(record, route.key_format, route.value_format,
                                   route.duplicate_names, event)) {
                    sample.add(event);
                }
                return true;
            }));
        }
        TableShape shape = sample.shape();
        if (shape.records == 0) {
            return fail(no_records(route));
        }
        return shape;
    };
}

}  // namespace sluice
