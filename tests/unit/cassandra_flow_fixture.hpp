// Flow with a server that answers by rule, and a clock that the test moves.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cassandra_fixture.hpp"
#include "sinks/cassandra/flow.hpp"

namespace sluice::cassandra {

inline Error error_of(std::int32_t kind, std::int32_t code = 0) {
    return translate(kind, code, "text", "cassandra.write");
}
inline const Error timeout = error_of(SLC_TIMEOUT);
inline const Error invalid = error_of(SLC_DB, 0x2200);
inline const Error unauthorized = error_of(SLC_DB, 0x2100);

class CassandraFlow : public testing::Test {
protected:
    // What the server says of a row: nothing is good.
    using Server = std::function<const Error*(std::int32_t partition, std::int64_t offset)>;
    static const Error* good(std::int32_t, std::int64_t) { return nullptr; }
    static std::chrono::milliseconds backoff(unsigned attempt) {
        return std::min(std::chrono::milliseconds{100} * (1 << std::min(attempt, 10U)),
                        std::chrono::milliseconds{5000});
    }

    Table table_ = make_table();
    TablePlan plan_ = make_plan(complete(upsert_target(), table_), table_, {});
    Flow flow_{2, 2, backoff};
    TimePoint now_{};
    std::uint64_t chunks_ = 0;
    std::vector<DestinationEvent> events_;

    // One row a record, all of one key.
    LoadPtr load(std::uint32_t route, std::vector<std::int32_t> partitions, std::int64_t from,
                 std::int64_t to) {
        auto load = std::make_shared<Load>();
        load->chunk.start(++chunks_, route);
        for (const auto partition : partitions) {
            const auto piece = load->chunk.add_piece(partition_of(partition), Offset{from});
            for (std::int64_t offset = from; offset < to; ++offset) {
                const std::vector<Cell> cells{text_cell("k"), integer_cell(1), Cell{},
                                              text_cell("v")};
                EXPECT_TRUE(load->chunk.add(piece, route, route * 2, plan_,
                                            record_of(partition, offset), ClockMicros{offset + 1},
                                            {.target = 0, .op = RowOp::put, .cells = cells}));
            }
            load->chunk.pieces()[piece].to = Offset{to};
        }
        return load;
    }
    WriteOutcome answer(const LoadPtr& load, const Server& server) const {
        WriteOutcome outcome;
        const Chunk& chunk = load->chunk;
        // A batch fails as a whole.
        std::map<std::uint32_t, const Error*> groups;
        for (std::uint32_t i = 0; i < chunk.wire().size(); ++i) {
            const auto row = chunk.row_at(i);
            const auto* error = server(
                chunk.pieces()[chunk.piece_of(row)].partition->partition.value(),
                chunk.offset_of(row).value());
            if (error != nullptr) {
                groups[chunk.wire()[i].group] = error;
            }
        }
        for (std::uint32_t i = 0; i < chunk.wire().size(); ++i) {
            const auto failed = groups.find(chunk.wire()[i].group);
            if (failed != groups.end()) {
                outcome.failures.push_back({i, static_cast<std::uint32_t>(outcome.errors.size())});
                outcome.errors.push_back(*failed->second);
            }
        }
        return outcome;
    }
    // Sends one chunk; false if there is none to send.
    bool step(const Server& server) {
        const LoadPtr load = flow_.next(now_);
        if (load) {
            flow_.done(load, answer(load, server), now_);
        }
        for (auto& event : flow_.take_events()) {
            events_.push_back(std::move(event));
        }
        return load != nullptr;
    }
    // Runs until nothing more happens at this time.
    void run(const Server& server, const std::function<std::optional<Error>()>& refresh = {}) {
        bool going = true;
        while (going) {
            going = step(server);
            while (const auto route = flow_.stale(now_)) {
                flow_.refreshed(*route, refresh ? refresh() : std::nullopt, now_);
                going = true;
            }
        }
    }
    void run_for(std::chrono::seconds time, const Server& server,
                 const std::function<std::optional<Error>()>& refresh = {}) {
        for (const TimePoint end = now_ + time; now_ < end; now_ += std::chrono::milliseconds{50}) {
            run(server, refresh);
        }
    }
    template <class T>
    std::vector<T> taken() {
        std::vector<T> out;
        for (const auto& event : events_) {
            if (const auto* found = std::get_if<T>(&event)) {
                out.push_back(*found);
            }
        }
        return out;
    }
};

}  // namespace sluice::cassandra
