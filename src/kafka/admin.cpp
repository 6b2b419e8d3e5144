#include "kafka/admin.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "kafka/admin_impl.hpp"
#include "kafka/translate.hpp"

namespace sluice::kafka {
namespace {

// Serves the error events of an Admin's own client; gives the one that explains a failure.
std::optional<Error> serve_troubles(Admin::Impl& impl) {
    if (!impl.events) {
        return std::nullopt;
    }
    drain_logs(impl.own.logs.get(), *impl.log);
    std::optional<Error> worst;
    while (const EventHandle event{rd_kafka_queue_poll(impl.events.get(), 0)}) {
        if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_ERROR) {
            continue;
        }
        auto error = impl.troubles.sort(impl.client, event.get(), *impl.log);
        if (error && (!worst || outranks(*error, *worst))) {
            worst = std::move(error);
        }
    }
    return worst;
}

// Sends one request and waits for its answer. Each has a queue of its own, so that the answer to
// a request that was given up can't be taken for another's.
template <class Send>
Result<EventHandle> ask(Admin::Impl& impl, rd_kafka_admin_op_t api, const char* op,
                        Deadline deadline, Send&& send) {
    const QueueHandle answers{rd_kafka_queue_new(impl.client)};
    const AdminOptionsHandle options{rd_kafka_AdminOptions_new(impl.client, api)};
    std::array<char, 256> why{};
    (void)rd_kafka_AdminOptions_set_request_timeout(options.get(), std::max(deadline.left_ms(), 1),
                                                    why.data(), why.size());
    send(options.get(), answers.get());
    EventHandle answer;
    do {
        answer.reset(rd_kafka_queue_poll(answers.get(), std::min(deadline.left_ms(), 50)));
        auto trouble = serve_troubles(impl);
        if (!answer && trouble && trouble->action != Action::retry) {
            return fail(*std::move(trouble));  // Waiting longer does not help.
        }
    } while (!answer && !deadline.passed());
    const auto code = answer ? rd_kafka_event_error(answer.get()) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        impl.troubles.reached();
        return answer;
    }
    const bool silent = !answer || code == RD_KAFKA_RESP_ERR__TIMED_OUT;
    return fail(impl.troubles.explain(make_error(
        code, op, {},
        silent ? "no broker answered in time" : rd_kafka_event_error_string(answer.get()))));
}

TopicInfo to_info(const rd_kafka_TopicDescription_t* topic) {
    TopicInfo info;
    info.name = rd_kafka_TopicDescription_name(topic);
    const auto* const error = rd_kafka_TopicDescription_error(topic);
    if (error != nullptr && rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        info.error = make_error(rd_kafka_error_code(error), "kafka.describe", info.name,
                                rd_kafka_error_string(error));
        return info;
    }
    if (const auto* const id = rd_kafka_TopicDescription_topic_id(topic)) {
        info.id = uuid_from_halves(rd_kafka_Uuid_most_significant_bits(id),
                                   rd_kafka_Uuid_least_significant_bits(id));
    }
    std::size_t count = 0;
    const auto* const* partitions = rd_kafka_TopicDescription_partitions(topic, &count);
    for (std::size_t i = 0; i < count; ++i) {
        if (rd_kafka_TopicPartitionInfo_leader(partitions[i]) == nullptr) {
            info.leaderless.emplace_back(rd_kafka_TopicPartitionInfo_partition(partitions[i]));
        }
    }
    info.partitions = static_cast<std::int32_t>(count);
    return info;
}

std::int64_t spec_offset(const OffsetSpec& spec) {
    if (const auto* const time = std::get_if<AtTime>(&spec)) {
        return std::max<std::int64_t>(time->ms, 0);  // Negative ones have other meanings.
    }
    return std::holds_alternative<Earliest>(spec) ? RD_KAFKA_OFFSET_SPEC_EARLIEST
                                                  : RD_KAFKA_OFFSET_SPEC_LATEST;
}

using OffsetMap = std::unordered_map<TopicPartition, Offset>;

// Offset -1: nothing at or after the time.
Result<OffsetMap> list_offsets(Admin::Impl& impl, std::span<const TopicPartition> partitions,
                               const OffsetSpec& spec, Deadline deadline) {
    constexpr const char* op = "kafka.offsets";
    const PartitionListHandle list{
        rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size()))};
    for (const auto& partition :
         std::unordered_set<TopicPartition>(partitions.begin(), partitions.end())) {
        auto* const element = rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(),
                                                                partition.partition.value());
        element->offset = spec_offset(spec);
    }
    SLUICE_ASSIGN(const auto answer,
                  ask(impl, RD_KAFKA_ADMIN_OP_LISTOFFSETS, op, deadline,
                      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                          // The end that a consumer meets: an open transaction is beyond it.
                          const ErrorHandle unset{rd_kafka_AdminOptions_set_isolation_level(
                              options, RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED)};
                          rd_kafka_ListOffsets(impl.client, list.get(), options, queue);
                      }));
    OffsetMap out;
    std::size_t count = 0;
    const auto* const* infos = rd_kafka_ListOffsets_result_infos(
        rd_kafka_event_ListOffsets_result(answer.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto* const element = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
        TopicPartition partition{element->topic, PartitionId(element->partition)};
        if (element->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return fail(make_error(element->err, op, partition.to_string()));
        }
        out.emplace(std::move(partition), Offset(element->offset));
    }
    return out;
}

}  // namespace

Result<Admin> Admin::open(const ClientOptions& options, Logger log) {
    SLUICE_ASSIGN(auto conf, make_conf(options, {}, {}, 0));
    SLUICE_ASSIGN(auto connection, open_connection(RD_KAFKA_PRODUCER, std::move(conf)));
    return Admin(std::make_unique<Impl>(std::move(connection), std::move(log)));
}

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::Admin(Admin&&) noexcept = default;
Admin& Admin::operator=(Admin&&) noexcept = default;
Admin::~Admin() = default;

Result<std::vector<std::string>> Admin::topics(Deadline deadline) {
    const struct rd_kafka_metadata* found = nullptr;
    const auto code = rd_kafka_metadata(impl_->client, 1, nullptr, &found,
                                        std::max(deadline.left_ms(), 1));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        auto trouble = serve_troubles(*impl_);
        return fail(trouble && trouble->action != Action::retry
                        ? *std::move(trouble)
                        : impl_->troubles.explain(make_error(code, "kafka.topics", {})));
    }
    std::vector<std::string> names;
    for (const auto& topic : std::span(found->topics, static_cast<std::size_t>(found->topic_cnt))) {
        names.emplace_back(topic.topic);
    }
    rd_kafka_metadata_destroy(found);
    impl_->troubles.reached();
    return names;
}

Result<std::vector<TopicInfo>> Admin::describe(std::span<const std::string> topics,
                                               Deadline deadline) {
    std::vector<TopicInfo> out;
    if (topics.empty()) {
        return out;
    }
    std::vector<const char*> names;
    for (const auto& topic : std::unordered_set<std::string_view>(topics.begin(), topics.end())) {
        names.push_back(topic.data());  // Views of whole std::strings, so they end with NUL.
    }
    const TopicNamesHandle collection{
        rd_kafka_TopicCollection_of_topic_names(names.data(), names.size())};
    SLUICE_ASSIGN(const auto answer,
                  ask(*impl_, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, "kafka.describe", deadline,
                      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                          rd_kafka_DescribeTopics(impl_->client, collection.get(), options, queue);
                      }));
    std::unordered_map<std::string, TopicInfo> by_name;
    std::size_t count = 0;
    const auto* const* described = rd_kafka_DescribeTopics_result_topics(
        rd_kafka_event_DescribeTopics_result(answer.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
        auto info = to_info(described[i]);
        auto name = info.name;
        by_name.emplace(std::move(name), std::move(info));
    }
    for (const auto& topic : topics) {
        const auto found = by_name.find(topic);
        if (found != by_name.end()) {
            out.push_back(found->second);
            continue;
        }
        out.push_back({.name = topic,
                       .id = {},
                       .partitions = 0,
                       .leaderless = {},
                       .error = make_error(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
                                           "kafka.describe", topic)});
    }
    return out;
}

Result<std::vector<Offset>> Admin::offsets(std::span<const TopicPartition> partitions,
                                           const OffsetSpec& spec, Deadline deadline) {
    std::vector<Offset> out;
    if (partitions.empty()) {
        return out;
    }
    SLUICE_ASSIGN(auto found, list_offsets(*impl_, partitions, spec, deadline));
    std::vector<TopicPartition> open;  // Nothing so late: their end instead.
    for (const auto& [partition, offset] : found) {
        if (offset.value() < 0) {
            open.push_back(partition);
        }
    }
    if (!open.empty()) {
        SLUICE_ASSIGN(const auto ends, list_offsets(*impl_, open, Latest{}, deadline));
        for (const auto& [partition, offset] : ends) {
            found[partition] = offset;
        }
    }
    for (const auto& partition : partitions) {
        const auto entry = found.find(partition);
        if (entry == found.end() || entry->second.value() < 0) {
            return fail({.action = Action::retry,
                         .op = "kafka.offsets",
                         .where = partition.to_string(),
                         .code = {},
                         .detail = "the broker told no offset of this partition",
                         .hint = {}});
        }
        out.push_back(entry->second);
    }
    return out;
}

Result<std::vector<std::optional<bool>>> Admin::compacted(std::span<const std::string> topics,
                                                          Deadline deadline) {
    std::vector<ConfigResourceHandle> resources;
    std::vector<rd_kafka_ConfigResource_t*> asked;
    for (const auto& topic : std::set<std::string>(topics.begin(), topics.end())) {
        resources.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
        asked.push_back(resources.back().get());
    }
    SLUICE_ASSIGN(const auto answer,
                  ask(*impl_, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "kafka.describe_configs", deadline,
                      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                          rd_kafka_DescribeConfigs(impl_->client, asked.data(), asked.size(),
                                                   options, queue);
                      }));
    std::unordered_map<std::string, bool> by_name;
    std::size_t count = 0;
    const auto* const* described = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(answer.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
        std::size_t entries_count = 0;
        const auto* const* entries = rd_kafka_ConfigResource_configs(described[i], &entries_count);
        for (std::size_t e = 0; e < entries_count; ++e) {
            const std::string_view name = rd_kafka_ConfigEntry_name(entries[e]);
            const char* value = rd_kafka_ConfigEntry_value(entries[e]);
            if (name == "cleanup.policy" && value != nullptr) {
                by_name.emplace(rd_kafka_ConfigResource_name(described[i]),
                                std::string_view(value).find("compact") != std::string_view::npos);
            }
        }
    }
    std::vector<std::optional<bool>> out;
    for (const auto& topic : topics) {
        const auto found = by_name.find(topic);
        out.push_back(found == by_name.end() ? std::nullopt : std::optional(found->second));
    }
    return out;
}

Result<bool> Admin::create_topic(const std::string& topic, std::int32_t partitions,
                                 Deadline deadline) {
    constexpr const char* op = "kafka.create_topic";
    std::array<char, 256> why{};
    // As many replicas as the cluster's default.replication.factor says.
    const NewTopicHandle wanted{
        rd_kafka_NewTopic_new(topic.c_str(), partitions, -1, why.data(), why.size())};
    if (!wanted) {
        return fail(make_error(RD_KAFKA_RESP_ERR__INVALID_ARG, op, topic, why.data()));
    }
    SLUICE_ASSIGN(const auto answer,
                  ask(*impl_, RD_KAFKA_ADMIN_OP_CREATETOPICS, op, deadline,
                      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                          auto* topics = wanted.get();
                          rd_kafka_CreateTopics(impl_->client, &topics, 1, options, queue);
                      }));
    std::size_t count = 0;
    const auto* const* results = rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result(answer.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto code = rd_kafka_topic_result_error(results[i]);
        if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            return false;
        }
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            const char* text = rd_kafka_topic_result_error_string(results[i]);
            return fail(make_error(code, op, topic, text == nullptr ? "" : text));
        }
    }
    return true;
}

Result<GroupInfo> Admin::describe_group(const std::string& group, Deadline deadline) {
    constexpr const char* op = "kafka.describe_group";
    SLUICE_ASSIGN(const auto answer,
                  ask(*impl_, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, op, deadline,
                      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                          const char* name = group.c_str();
                          rd_kafka_DescribeConsumerGroups(impl_->client, &name, 1, options, queue);
                      }));
    GroupInfo info;
    std::size_t count = 0;
    const auto* const* groups = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(answer.get()), &count);
    if (count == 0) {
        return info;
    }
    const auto* const found = groups[0];
    const auto* const error = rd_kafka_ConsumerGroupDescription_error(found);
    if (error != nullptr && rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) {
        return info;
    }
    if (error != nullptr && rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return fail(
            make_error(rd_kafka_error_code(error), op, group, rd_kafka_error_string(error)));
    }
    info.stable = rd_kafka_ConsumerGroupDescription_state(found) ==
                  RD_KAFKA_CONSUMER_GROUP_STATE_STABLE;
    const auto members = rd_kafka_ConsumerGroupDescription_member_count(found);
    for (std::size_t i = 0; i < members; ++i) {
        const auto* const member = rd_kafka_ConsumerGroupDescription_member(found, i);
        GroupMember& added = info.members.emplace_back();
        if (const char* instance = rd_kafka_MemberDescription_group_instance_id(member)) {
            added.instance = instance;
        }
        const auto* const assignment = rd_kafka_MemberDescription_assignment(member);
        const auto* const list = assignment == nullptr
                                     ? nullptr
                                     : rd_kafka_MemberAssignment_partitions(assignment);
        for (int p = 0; list != nullptr && p < list->cnt; ++p) {
            added.assigned.push_back({list->elems[p].topic, PartitionId(list->elems[p].partition)});
        }
    }
    return info;
}

Result<void> Admin::delete_commits(const std::string& group,
                                   std::span<const TopicPartition> partitions, Deadline deadline) {
    constexpr const char* op = "kafka.delete_commits";
    if (partitions.empty()) {
        return {};
    }
    const auto list = to_list(partitions);
    const DeleteOffsetsHandle request{
        rd_kafka_DeleteConsumerGroupOffsets_new(group.c_str(), list.get())};
    const auto answer = ask(*impl_, RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, op, deadline,
                            [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                                auto* requests = request.get();
                                rd_kafka_DeleteConsumerGroupOffsets(impl_->client, &requests, 1,
                                                                    options, queue);
                            });
    if (!answer) {
        // A group that never was has no commits.
        return answer.error().code == rd_kafka_err2name(RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
                   ? Result<void>{}
                   : Result<void>(fail(answer.error()));
    }
    std::size_t count = 0;
    const auto* const* groups = rd_kafka_DeleteConsumerGroupOffsets_result_groups(
        rd_kafka_event_DeleteConsumerGroupOffsets_result(answer->get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto* const error = rd_kafka_group_result_error(groups[i]);
        if (error != nullptr) {
            return fail(
                make_error(rd_kafka_error_code(error), op, group, rd_kafka_error_string(error)));
        }
        const auto* const results = rd_kafka_group_result_partitions(groups[i]);
        for (int p = 0; results != nullptr && p < results->cnt; ++p) {
            const auto& element = results->elems[p];
            if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR &&
                element.err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
                const TopicPartition partition{element.topic, PartitionId(element.partition)};
                return fail(make_error(element.err, op, partition.to_string()));
            }
        }
    }
    return {};
}

}  // namespace sluice::kafka
