#include "app/rehearse.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "app/sampler.hpp"
#include "decode/decode.hpp"
#include "map/mapper.hpp"

namespace sluice {
namespace {

// Of one topic.
class Trial {
public:
    Trial(Rehearsal& rehearsal, std::uint32_t route) : rehearsal_(rehearsal), route_(route) {}

    Result<void> prepare() {
        const Route& route = rehearsal_.routes()[route_];
        for (std::uint32_t t = 0; t < route.targets.size() && !route.targets[t].dead_letters; ++t) {
            SLUICE_ASSIGN(auto mapper, Mapper::create(route, t));
            mappers_.push_back(std::move(mapper));
        }
        return {};
    }

    void add(const Record& record) {
        ++records_;
        std::size_t puts = 0;
        std::size_t deletes = 0;
        if (auto done = encode(record, puts, deletes); !done) {
            note(record, std::move(done).error());
            return;
        }
        puts_ += puts;
        deletes_ += deletes;
        without_rows_ += puts + deletes == 0 ? 1 : 0;
    }

    void finish(const std::string& topic, Rehearsed& out) const {
        std::size_t refused = 0;
        for (const auto& [kind, seen] : refused_) {
            refused += seen.count;
            out.refused.push_back(
                fmt::format("{} of {} sampled records of topic {} would be refused, the first: {}",
                            seen.count, records_, topic, seen.first));
        }
        out.notes.push_back(fmt::format(
            "topic {}: of {} sampled records {} would be refused, {} have no row; the others give "
            "{} rows and {} deletes",
            topic, records_, refused, without_rows_, puts_, deletes_));
    }

private:
    struct Seen {
        std::size_t count = 0;
        std::string first;
    };

    Result<void> encode(const Record& record, std::size_t& puts, std::size_t& deletes) {
        const Route& route = rehearsal_.routes()[route_];
        SLUICE_TRY(decoder_.decode(record, route.key_format, route.value_format,
                                   route.duplicate_names, event_));
        for (auto& mapper : mappers_) {
            SLUICE_ASSIGN(const auto rows, mapper.map(event_, no_topic));
            for (const auto& row : rows) {
                SLUICE_TRY(rehearsal_.encode(route_, record, row));
                ++(row.op == RowOp::put ? puts : deletes);
            }
        }
        return {};
    }

    // By what is wrong and in which column, whatever the record is.
    void note(const Record& record, const Error& error) {
        const std::string place = record.where();
        const bool placed = error.where.starts_with(place);
        std::string column = placed ? error.where.substr(place.size()) : error.where;
        if (constexpr std::string_view item = ", item "; column.starts_with(item)) {
            column.erase(0, std::min(column.find(',', item.size()), column.size()));
        }
        Seen& seen = refused_[{column, error.op}];
        if (seen.count++ == 0) {
            seen.first = error.message();
        }
    }

    static constexpr Uuid no_topic{};  // Where only the kind of an id counts.

    Rehearsal& rehearsal_;
    std::uint32_t route_;
    std::vector<Mapper> mappers_;
    Decoder decoder_;
    Event event_;
    std::size_t records_ = 0;
    std::size_t puts_ = 0;
    std::size_t deletes_ = 0;
    std::size_t without_rows_ = 0;
    std::map<std::pair<std::string, std::string>, Seen> refused_;  // By column and stage.
};

}  // namespace

Result<Rehearsed> rehearse(const Config& config, Rehearsal& rehearsal, std::size_t count) {
    Rehearsed out;
    const auto routes = rehearsal.routes();
    for (std::uint32_t r = 0; r < routes.size(); ++r) {
        for (const auto& topic : routes[r].topics) {
            if (!rehearsal.knows(r)) {
                out.notes.push_back("topic " + topic +
                                    ": not sampled, because its table is still to be made");
                continue;
            }
            Trial trial(rehearsal, r);
            SLUICE_TRY(trial.prepare());
            SLUICE_TRY(read_sample(config.kafka, topic, count, [&](const Record& record) {
                trial.add(record);
                return true;
            }));
            trial.finish(topic, out);
        }
    }
    return out;
}

}  // namespace sluice
