#include "app/dlq.hpp"

#include <spdlog/fmt/fmt.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "app/dlq_parts.hpp"
#include "app/dlq_text.hpp"
#include "app/topics.hpp"
#include "sinks/cassandra/letters.hpp"
#include "sinks/deadletter/letters.hpp"
#include "sinks/postgres/letters.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto server_wait = 15s;

std::size_t terminal_width() {
    winsize size{};
    return isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col
                                                                                      : 0;
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

// Counts every letter, and prints as many as are asked for.
class Listing {
public:
    explicit Listing(const DlqOptions& options) : options_(options), width_(terminal_width()) {
        print(options_.json ? "{\"dead_letters\": [" : "");
    }
    void add(const std::string& lane, const LetterInfo& letter) {
        counts_.add(lane, letter);
        if (counts_.total() > options_.limit) {
            return;
        }
        if (options_.json) {
            print((counts_.total() == 1 ? "\n" : ",\n") + json_of(lane, letter));
        } else {
            print(line_of(lane, letter, width_));
        }
    }
    void finish() const {
        if (options_.json) {
            print(fmt::format("],\n\"total\": {}, \"summary\": {}}}\n", counts_.total(),
                              counts_.json()));
            return;
        }
        if (counts_.total() == 0) {
            print("no dead letters\n");
            return;
        }
        if (counts_.total() > options_.limit) {
            print(fmt::format("… and {} more: --limit N lists them\n",
                              counts_.total() - options_.limit));
        }
        print("\n" + counts_.text());
    }

private:
    const DlqOptions& options_;
    std::size_t width_;
    LetterCounts counts_;
};

int list(const DlqOptions& options, const Logger& log) {
    Listing listing(options);
    for (const auto& lane : lanes_of(options)) {
        auto store = open_store(options.config, lane);
        if (!store) {
            log->error("{}: {}", lane, store.error().message());
            return 3;
        }
        const auto listed = (*store)->list({.topic = options.topic, .record = {}},
                                           [&](const LetterInfo& letter) {
                                               listing.add(lane, letter);
                                               return true;
                                           });
        if (!listed) {
            log->error("{}: {}", lane, listed.error().message());
            return 1;
        }
    }
    listing.finish();
    return 0;
}

bool keeps_dead_letters(const Config& config) {
    return !config.dead_letters.table.empty() || !config.dead_letters.topic.empty();
}

Error no_dead_letters(const Config& config) {
    const Place& place = config.dead_letters.place;
    return {.action = Action::configure,
            .op = {},
            .where = place.line > 0 ? place.to_string() : config.kafka.place.file,
            .code = {},
            .detail = "without a table or a topic in dead_letters there are none: a bad record "
                      "stops its partition",
            .hint = "write dead_letters: {table: NAME} or {topic: NAME}; `sluice dlq skip` passes "
                    "over a single record without it"};
}

// The letters of one record in one store, whole.
Result<std::vector<StoredLetter>> letters_of(LetterStore& store, const DlqOptions& options) {
    std::vector<LetterKey> keys;
    SLUICE_TRY(store.list({.topic = {}, .record = options.record}, [&](const LetterInfo& letter) {
        keys.push_back(letter.key);
        return true;
    }));
    std::vector<StoredLetter> letters;
    for (const auto& key : keys) {
        SLUICE_ASSIGN(auto letter, store.get(key));
        if (letter) {
            SLUICE_TRY(read_headers(*letter));
            letters.push_back(*std::move(letter));
        }
    }
    return letters;
}

int show(const DlqOptions& options, const Logger& log) {
    std::size_t shown = 0;
    std::string places;
    for (const auto& lane : lanes_of(options)) {
        auto store = open_store(options.config, lane);
        if (!store) {
            log->error("{}: {}", lane, store.error().message());
            return 3;
        }
        const auto letters = letters_of(**store, options);
        if (!letters) {
            log->error("{}: {}", lane, letters.error().message());
            return 1;
        }
        places += (places.empty() ? "" : ", ") + (*store)->name() + " of lane " + lane;
        for (const auto& letter : *letters) {
            if (options.raw) {
                print(letter.value.value_or(""));
                return 0;
            }
            print((shown++ == 0 ? "" : "\n") + whole(lane, letter));
        }
    }
    if (shown == 0) {
        log->error("no dead letter {} (looked in {}); `sluice dlq list` tells which there are",
                   options.record->first.at(options.record->second), places);
        return 1;
    }
    return 0;
}

}  // namespace

std::vector<std::string> lanes_of(const DlqOptions& options) {
    return options.lane.empty() ? lane_names(options.config)
                                : std::vector<std::string>{options.lane};
}

Result<std::unique_ptr<LetterStore>> open_store(const Config& config, const std::string& lane) {
    const Deadline deadline = Deadline::in(server_wait);
    const auto& letters = config.dead_letters;
    if (!letters.topic.empty()) {
        return deadletter::open_letters(client_options(config.kafka), letters.topic,
                                        group_of(config, lane), make_logger("kafka"), deadline);
    }
    if (lane == postgres_lane) {
        return postgres::open_letters(postgres_options(config), letters.table, deadline);
    }
    return cassandra::open_letters(cassandra_options(config), letters.table, deadline);
}

int dlq(const DlqOptions& given) {
    const auto log = make_logger("dlq");
    DlqOptions options = given;
    const bool routes = given.command == DlqCommand::replay || given.command == DlqCommand::skip;
    if (routes) {  // The others ask for no topic but that of the dead letters.
        auto expanded = with_topics(given.config, Deadline::in(server_wait));
        if (!expanded) {
            log->error("{}", expanded.error().message());
            return 3;
        }
        options.config = std::move(expanded->config);
    }
    if (options.command != DlqCommand::skip && !keeps_dead_letters(options.config)) {
        log->error("{}", no_dead_letters(options.config).message());
        return 2;
    }
    switch (options.command) {
        case DlqCommand::list:
            return list(options, log);
        case DlqCommand::show:
            return show(options, log);
        case DlqCommand::replay:
            return replay(options, log);
        case DlqCommand::skip:
            return skip(options, log);
    }
    return 2;
}

}  // namespace sluice
