// `sluice dlq replay`: dead letters through decode and map of their routes, as the configuration
// has them now, into the lane's own tables.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "app/dlq_parts.hpp"
#include "app/dlq_text.hpp"
#include "decode/decode.hpp"
#include "map/mapper.hpp"
#include "sinks/cassandra/letters.hpp"
#include "sinks/postgres/letters.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto server_wait = 15s;

struct Tally {
    std::size_t replayed = 0;
    std::size_t failed = 0;
    std::size_t gone = 0;      // Replayed before, or by somebody else meanwhile.
    std::size_t unrouted = 0;  // Of topics that no route of the lane reads.
};

Error no_progress(const std::string& lane, const LetterKey& key) {
    return {.action = Action::stop,
            .op = "dlq.replay",
            .where = key.where(),
            .code = {},
            .detail = "a column is filled from meta.id, which needs the topic's id, but lane " +
                      lane + " has no progress on the topic",
            .hint = "run the pipeline first"};
}

Error without_content(const LetterKey& key) {
    return {.action = Action::stop,
            .op = "dlq.replay",
            .where = key.where(),
            .code = {},
            .detail = "the record was too large for `memory`, and the letter holds nothing of it",
            .hint = "the record is only in its topic, at this offset"};
}

Error late_truncate(const LetterKey& key) {
    return {.action = Action::stop,
            .op = "dlq.replay",
            .where = key.where(),
            .code = {},
            .detail = "it is a truncate, which would empty the table of what came later, too",
            .hint = "delete by hand what is too much"};
}

// One lane's letters on their way back.
class Replay {
public:
    Replay(std::string lane, LetterStore& store, LetterWriter& writer, const Logger& log)
        : lane_(std::move(lane)), store_(store), writer_(writer), log_(log) {}

    Result<Tally> run(const LetterFilter& filter) {
        SLUICE_TRY(make_mappers());
        Result<void> ended;
        SLUICE_TRY(store_.list(filter, [&](const LetterInfo& letter) {
            ended = replay(letter.key);
            return ended.has_value();
        }));
        SLUICE_TRY(std::move(ended));
        return tally_;
    }

private:
    Result<void> make_mappers() {
        const auto routes = writer_.routes();
        mappers_.resize(routes.size());
        for (std::size_t r = 0; r < routes.size(); ++r) {
            for (std::uint32_t t = 0; t < routes[r].targets.size(); ++t) {
                if (!routes[r].targets[t].dead_letters) {
                    SLUICE_ASSIGN(auto mapper, Mapper::create(routes[r], t));
                    mappers_[r].push_back(std::move(mapper));
                }
            }
        }
        return {};
    }

    // An error ends the lane's replay: there is no way to tell what becomes of the next letter.
    Result<void> replay(const LetterKey& key) {
        const auto routes = writer_.routes();
        const auto route = std::ranges::find_if(routes, [&](const Route& each) {
            return std::ranges::find(each.topics, key.partition.topic) != each.topics.end();
        });
        if (route == routes.end()) {
            ++tally_.unrouted;
            return {};
        }
        const auto written = write(static_cast<std::uint32_t>(route - routes.begin()), key);
        if (written) {
            ++(*written ? tally_.replayed : tally_.gone);
            return {};
        }
        const Error& error = written.error();
        if (error.action == Action::retry || error.action == Action::verify) {
            return fail(error);
        }
        ++tally_.failed;
        log_->error("{}: {} stays a dead letter: {}", lane_, key.where(), error.message());
        return {};
    }

    Result<bool> write(std::uint32_t route, const LetterKey& key) {
        SLUICE_ASSIGN(auto letter, store_.get(key));
        if (!letter) {
            return false;
        }
        if (letter->info.reason == "lane.size") {
            return fail(without_content(key));
        }
        SLUICE_TRY(read_headers(*letter));
        const Record record = record_of(*letter, headers_);
        const Route& from = writer_.routes()[route];
        SLUICE_TRY(decoder_.decode(record, from.key_format, from.value_format, from.duplicate_names,
                                   event_));
        SLUICE_ASSIGN(const Uuid topic, topic_id(from, key));
        rows_.clear();
        for (auto& mapper : mappers_[route]) {
            SLUICE_ASSIGN(const auto rows, mapper.map(event_, topic));
            if (std::ranges::find(rows, RowOp::truncate, &Row::op) != rows.end()) {
                return fail(late_truncate(key));
            }
            rows_.insert(rows_.end(), rows.begin(), rows.end());
        }
        return writer_.replay(route, *letter, record, rows_);
    }

    Result<Uuid> topic_id(const Route& route, const LetterKey& key) {
        auto known = topic_ids_.find(key.partition.topic);
        if (known == topic_ids_.end()) {
            SLUICE_ASSIGN(const auto id, writer_.topic_id(key.partition.topic));
            known = topic_ids_.emplace(key.partition.topic, id).first;
        }
        const bool needed = std::ranges::any_of(route.targets, [](const Target& target) {
            return std::ranges::any_of(target.columns, [](const ColumnSource& column) {
                return column.path.source == Source::meta_id;
            });
        });
        if (!known->second && needed) {
            return fail(no_progress(lane_, key));
        }
        return known->second.value_or(Uuid{});
    }

    std::string lane_;
    LetterStore& store_;
    LetterWriter& writer_;
    Logger log_;
    std::vector<std::vector<Mapper>> mappers_;  // By route, then by target.
    std::map<std::string, std::optional<Uuid>> topic_ids_;
    Decoder decoder_;
    Event event_;
    std::vector<Header> headers_;
    std::vector<Row> rows_;
    Tally tally_;
};

Result<std::unique_ptr<LetterWriter>> open_writer(const Config& config, const std::string& lane) {
    const Deadline deadline = Deadline::in(server_wait);
    const auto routes = routes_of(config, lane);
    if (lane == postgres_lane) {
        return postgres::open_letter_writer(postgres_options(config), routes, deadline);
    }
    return cassandra::open_letter_writer(cassandra_options(config), routes, make_logger(lane),
                                         deadline);
}

Result<bool> has_letters(LetterStore& store, const LetterFilter& filter) {
    bool any = false;
    SLUICE_TRY(store.list(filter, [&](const LetterInfo&) {
        any = true;
        return false;
    }));
    return any;
}

void tell(const std::string& lane, const Tally& tally, const Logger& log) {
    std::string more;
    const auto add = [&](std::size_t count, std::string_view what) {
        more += count == 0 ? "" : fmt::format(", {} {}", count, what);
    };
    add(tally.failed, "failed again and stay");
    add(tally.gone, "were replayed before");
    add(tally.unrouted, "are of topics that no route of the lane reads, and stay");
    log->info("{}: {} dead letters replayed{}", lane, tally.replayed, more);
}

}  // namespace

int replay(const DlqOptions& options, const Logger& log) {
    Tally all;
    bool found = false;
    for (const auto& lane : lanes_of(options)) {
        auto store = open_store(options.config, lane);
        if (!store) {
            log->error("{}: {}", lane, store.error().message());
            return 3;
        }
        const LetterFilter filter{.topic = {}, .record = options.record};
        const auto any = has_letters(**store, filter);
        if (any && !*any) {
            continue;  // Its tables may well be missing yet.
        }
        auto writer = open_writer(options.config, lane);
        if (!any || !writer) {
            log->error("{}: {}", lane, (any ? writer.error() : any.error()).message());
            return 3;
        }
        const auto done = Replay(lane, **store, **writer, log).run(filter);
        if (!done) {
            log->error("{}: {}; start again: what was replayed is not replayed twice", lane,
                       done.error().message());
            return 1;
        }
        tell(lane, *done, log);
        found = true;
        all.replayed += done->replayed;
        all.failed += done->failed;
        all.gone += done->gone;
    }
    if (!found && !options.record) {
        log->info("no dead letters");
    } else if (all.replayed + all.failed + all.gone == 0 && options.record) {
        log->error("no dead letter {} was replayed; `sluice dlq list` tells which there are",
                   options.record->first.at(options.record->second));
        return 1;
    }
    return all.failed == 0 ? 0 : 1;
}

}  // namespace sluice
