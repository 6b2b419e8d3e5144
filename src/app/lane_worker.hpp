// The lane's thread. Split over ten files: starting (lane_start.cpp), its place in the group
// (lane_membership.cpp), finding each partition's position (lane_settle.cpp), compacted topics
// (lane_compaction.cpp), owning partitions (lane_partitions.cpp), databases and tables that can't
// be written (lane_waits.cpp), what becomes of bad records (lane_dead_letters.cpp), columns that
// tables lack (lane_columns.cpp), what it tells of itself (lane_status.cpp), and the records' way
// (lane.cpp).
#pragma once

#include <deque>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "app/lane.hpp"
#include "app/partitions.hpp"
#include "app/rate_limit.hpp"
#include "base/backoff.hpp"
#include "commit/start.hpp"
#include "decode/decode.hpp"
#include "kafka/admin.hpp"
#include "map/mapper.hpp"

namespace sluice {

class Lane::Worker final : public kafka::AssignmentListener {
public:
    explicit Worker(Lane& lane) : lane_(lane), destination_(*lane.destination_), log_(lane.log_) {
        if (lane.options_.rows_per_s_max) {
            rate_limit_.emplace(*lane.options_.rows_per_s_max);
        }
    }
    void run();

private:
    // lane_start.cpp
    bool start();
    Result<void> try_start();
    Result<void> describe_topics(Deadline deadline);
    [[nodiscard]] Result<void> check_truncates() const;
    Result<void> begin_topic(LaneTopic& topic, Deadline deadline);
    Result<void> check_database(const LaneTopic& topic,
                                std::span<const kafka::Committed> committed) const;
    Result<std::vector<Position>> first_positions(const LaneTopic& topic, Deadline deadline);
    [[nodiscard]] std::vector<std::string> topic_names() const;
    [[nodiscard]] Error progress_conflict(const LaneTopic& topic) const;
    [[nodiscard]] bool is_begun(const LaneTopic& topic,
                                std::span<const kafka::Committed> committed) const;
    [[nodiscard]] Error progress_lost(const LaneTopic& topic) const;
    Result<void> make_mappers();

    // lane_membership.cpp
    Result<void> renew_membership(Deadline deadline);
    [[nodiscard]] bool place_fits(const kafka::GroupInfo& group,
                                  const kafka::GroupMember& own) const;
    void watch_place();
    void tell_joins_anew();
    bool may_start_again();
    [[nodiscard]] Deadline after_session() const;
    Result<void> try_join(Deadline deadline);

    // lane_partitions.cpp, lane_settle.cpp
    void assigned(std::span<const TopicPartition> partitions) override;
    void revoked(std::span<const TopicPartition> partitions) override;
    void lost(std::span<const TopicPartition> partitions) override;
    void settle_assigned();
    Result<void> settle(std::span<const TopicPartition> partitions);
    Result<void> settle_one(LanePartition& partition, const kafka::Committed& committed,
                            Deadline deadline);
    void watch_topics();
    void note_topics(std::span<const kafka::TopicInfo> described, Deadline known);
    void note_growth(const LaneTopic& topic, std::int32_t partitions);
    void drop_unsure(const kafka::Poll& poll);
    void ask_ends();
    [[nodiscard]] std::string gap_before(const TopicPartition& id);
    void note_leaders(const kafka::TopicInfo& info);
    void stop_remade_topic(const TopicPartition& id);
    Result<std::optional<commit::Start>> decide_start(LanePartition& partition,
                                                      const kafka::Committed& committed,
                                                      Deadline deadline);
    Result<std::optional<commit::Start>> decide_new(LanePartition& partition,
                                                    std::span<const Position> stored,
                                                    Deadline deadline);
    bool handle_events();  // False: there were none.
    void handle(const Ready& ready);
    void handle(const Durable& durable);
    void handle(const Skipped& skipped);
    void handle(const Fenced& fenced);
    void handle(const Reconnected& reconnected);
    void acquire_again(LanePartition& partition);
    void tell_moved(const LanePartition& partition, Offset next);
    void handle(const Rejected& rejected);
    void handle(const Refused& refused);
    void handle(const Waiting& waiting);
    [[nodiscard]] bool is_held(std::uint32_t route) const;
    void give_up_routes();
    void stop_partition(const TopicPartition& id, const Error& error);
    void fetch_later(const kafka::PartitionFault& fault);
    void fetch_again();
    void forget(std::span<const TopicPartition> partitions);
    void commit_progress(bool wait);
    void progress_stored(bool in_group);
    void commit_now(std::span<const TopicPartition> partitions, Deadline deadline);
    [[nodiscard]] kafka::Commit commit_of(const LanePartition& partition) const;
    [[nodiscard]] kafka::Commit commit_of(const LanePartition& partition, ClockMicros clock) const;
    [[nodiscard]] Position position_of(const LanePartition& partition) const;
    [[nodiscard]] static ClockMicros clock_of(const LanePartition& partition);
    LanePartition* find(const TopicPartition& id);
    [[nodiscard]] std::vector<TopicPartition> own_partitions() const;

    // lane_compaction.cpp
    Result<void> look_for_compaction(Deadline deadline);
    void raise_bounds(const kafka::Poll& poll);

    // lane_dead_letters.cpp
    Result<void> bury(LanePartition& partition, const Record& record, ClockMicros clock,
                      const Error& error);
    void tell_buried(const Error& error);
    void handle(const Buried& buried);
    bool settle_dead_letters();

    // lane_columns.cpp
    struct WantedColumns {
        std::vector<ColumnShape> columns;
        std::uint64_t schema = 0;  // Decoded::schema_id of the record that has them.
        std::string told;          // Why they could not be added.
        Deadline due = Deadline::in(std::chrono::milliseconds{0});
    };
    using TargetNumber = std::pair<std::uint32_t, std::uint32_t>;  // Route and target.
    void want(const TargetNumber& target, std::vector<ColumnShape> fields);
    Result<void> look_for_new_fields(std::uint32_t route);
    void wait_for_columns(LanePartition& partition, const Error& error);
    void add_columns();
    Result<void> take_up_columns(std::uint32_t route, std::uint32_t target);
    static bool waits_for_columns(const LanePartition& partition, std::uint32_t route);
    void tell_columns_wait(std::uint32_t route, WantedColumns& wanted, const Error& error);

    // lane_status.cpp
    void publish();
    [[nodiscard]] LaneStatus observed() const;
    [[nodiscard]] std::vector<PartitionStatus> owned() const;
    [[nodiscard]] std::uint64_t lag_of(const LanePartition& partition) const;
    [[nodiscard]] std::optional<Error> trouble() const;
    void set_waiting(std::optional<Error> error);
    void set_phase(LanePhase phase);

    // lane.cpp
    void stream();
    void serve();
    void poll();
    [[nodiscard]] bool may_poll();
    [[nodiscard]] std::size_t records_under_way() const;
    void deliver(const kafka::Poll& poll);
    void deliver(LanePartition& partition, const Record& record);
    void handle(const kafka::PartitionFault& fault);
    Result<void> write_rows(LanePartition& partition, const Record& record, ClockMicros clock);
    [[nodiscard]] std::size_t size_of_items() const;
    [[nodiscard]] bool reached_end();
    [[nodiscard]] bool is_at_end(const LanePartition& partition) const;
    [[nodiscard]] bool elsewhere_at_end(const LaneTopic& topic, const TopicPartition& id,
                                        Offset end);
    void finish();
    bool pause(std::chrono::milliseconds wait) const;

    Lane& lane_;
    Destination& destination_;
    Logger& log_;
    std::optional<kafka::Consumer> consumer_;

    std::vector<LaneTopic> topics_;
    std::unordered_map<TopicPartition, LanePartition> partitions_;
    const TopicPartition* last_id_ = nullptr;
    LanePartition* last_partition_ = nullptr;

    Decoder decoder_;
    Event event_;
    std::vector<std::vector<Mapper>> mappers_;  // By route, then by target.
    std::vector<Row> rows_of_record_;
    std::optional<RateLimit> rate_limit_;
    std::map<TargetNumber, WantedColumns> wanted_columns_;
    std::map<TargetNumber, std::uint64_t> seen_schemas_;
    std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>> tried_schemas_;

    bool started_ = false;  // Has been running once.
    struct Fencing {
        Error by;
        Deadline until;    // Whoever has our name then is another process,
        Deadline watched;  // if there was no gap between the looks.
    };
    std::optional<Fencing> fenced_;
    bool place_unsure_ = false;  // Taken over in the group, and perhaps another than is needed.
    unsigned misfits_ = 0;       // How often in a row it was.
    Deadline next_place_check_ = Deadline::in(std::chrono::milliseconds{0});
    Deadline next_commit_ = Deadline::in(std::chrono::milliseconds{0});
    Deadline topics_known_ = Deadline::in(std::chrono::milliseconds{0});  // To be what they were.
    Deadline next_topic_check_ = Deadline::in(std::chrono::milliseconds{0});
    Deadline next_settle_ = Deadline::in(std::chrono::milliseconds{0});
    std::size_t settle_turn_ = 0;  // Whose turn is next, where not all can be settled in time.
    Deadline next_publish_ = Deadline::in(std::chrono::milliseconds{0});
    Deadline next_end_check_ = Deadline::in(std::chrono::milliseconds{0});
    Deadline next_committed_check_ = Deadline::in(std::chrono::milliseconds{0});
    std::unordered_map<TopicPartition, kafka::Committed> ended_elsewhere_;
    struct WaitingRoute {
        Error error;
        std::optional<Deadline> give_up;  // With --until-end.
        bool given_up = false;
        bool fetched = false;  // It waits for its own next records.
    };
    std::map<std::uint32_t, WaitingRoute> waiting_routes_;
    std::optional<Error> waiting_database_;
    std::optional<Error> kafka_trouble_;
    std::optional<Error> fatal_;
    std::uint64_t records_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t mapped_ = 0;
    std::uint64_t handed_over_ = 0;  // Rows, dead letters among them.
    std::uint64_t rows_ = 0;
    std::map<std::string, std::uint64_t> dead_letters_;  // Durable, by reason.
    std::uint64_t untold_ = 0;  // Dead letters since the last line about one.
    bool unsettled_ = false;    // The topic of dead letters has not acknowledged all.
    std::optional<Error> waiting_dead_letters_;
    Deadline next_tell_ = Deadline::in(std::chrono::milliseconds{0});
    std::unordered_set<std::string> compacted_;      // Topics, as the brokers told last.
    std::unordered_set<TopicPartition> leaderless_;  // As the brokers told last.
    std::map<std::string, std::uint64_t> skipped_;   // Rows, by table.
    std::uint64_t skipped_rows_ = 0;                 // Without dead letters.
    std::uint64_t rewound_ = 0;
    std::map<std::string, std::uint64_t> rejected_;  // Records, by reason.
    std::map<std::string, std::uint64_t> starts_;    // Attempts that failed, by retry_class().
    std::optional<std::chrono::steady_clock::time_point> progressed_;
    std::vector<StoppedPartition> stopped_;  // Of those that are ours.
    bool ending_ = false;                    // All is drained and committed.
};

}  // namespace sluice
