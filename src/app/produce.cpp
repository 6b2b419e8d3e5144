#include "app/produce.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "app/display.hpp"
#include "app/line_reader.hpp"
#include "app/wiring.hpp"
#include "decode/decode.hpp"
#include "kafka/admin.hpp"
#include "kafka/producer.hpp"
#include "map/mapper.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto broker_wait = 30s;
constexpr auto delivery_wait = 60s;
constexpr auto progress_every = 100ms;
constexpr std::size_t failures_listed_max = 20;

volatile std::sig_atomic_t interrupted = 0;
void on_signal(int) { interrupted = 1; }

class Production {
public:
    explicit Production(const ProduceOptions& options)
        : options_(options), log_(make_logger("produce")) {}

    int run() {
        const Result<void> done = produce_all();
        end_progress();
        if (!done) {
            log_->error("{}", done.error().message());
        }
        report();
        if (!done) {
            return done.error().op == LineReader::op ? 2 : 3;
        }
        return failed_ > 0 || acknowledged_ < sent_ ? 1 : 0;
    }

private:
    Result<void> produce_all() {
        SLUICE_ASSIGN(auto reader, LineReader::open(options_.file));
        SLUICE_TRY(prepare_topic());
        SLUICE_ASSIGN(auto producer,
                      kafka::Producer::open(client_options(options_.kafka), log_,
                                            [this](std::uint64_t line, const auto& error) {
                                                delivered(line, error);
                                            }));
        started_ = Clock::now();
        const Result<void> sent = send_lines(reader, producer);
        // Also after an error: what was sent is seen through.
        if (!producer.flush(Deadline::in(delivery_wait))) {
            log_->error("not every event was acknowledged within {} s",
                        std::chrono::seconds{delivery_wait}.count());
        }
        return sent;
    }

    Result<void> send_lines(LineReader& reader, kafka::Producer& producer) {
        const auto go_on = [&] {
            producer.serve(0ms);
            show_progress(reader);
            return interrupted == 0;
        };
        std::uint64_t number = 0;
        while (interrupted == 0) {
            SLUICE_ASSIGN(const auto line, reader.next(go_on));
            if (!line) {
                break;
            }
            ++number;
            if (line->empty()) {
                ++empty_;
                continue;
            }
            SLUICE_TRY(send(producer, *line, number));
            if (number % 256 == 0) {
                (void)go_on();
            }
        }
        return {};
    }

    Result<void> prepare_topic() {
        SLUICE_ASSIGN(auto admin, kafka::Admin::open(client_options(options_.kafka), log_));
        SLUICE_ASSIGN(const bool created, admin.create_topic(options_.topic, options_.partitions,
                                                             Deadline::in(broker_wait)));
        if (created) {
            log_->info("created topic '{}' with {} partitions", options_.topic,
                       options_.partitions);
        }
        return {};
    }

    Result<void> send(kafka::Producer& producer, std::string_view line, std::uint64_t number) {
        std::optional<std::string_view> key;
        if (options_.json || options_.key) {
            auto decoded = decode(line, number, key);
            if (!decoded) {
                fail_line(number, decoded.error().message());
                return {};
            }
        }
        pace(producer);
        while (true) {
            auto sent = producer.send(options_.topic, key, line, number);
            if (sent) {
                ++sent_;
                return {};
            }
            if (sent.error().action != Action::retry) {
                fail_line(number, sent.error().message());
                return {};
            }
            producer.serve(10ms);
            if (interrupted != 0) {
                return {};
            }
        }
    }

    // Finds the key; `key` then points into the line or into key_.
    Result<void> decode(std::string_view line, std::uint64_t number,
                        std::optional<std::string_view>& key) {
        record_ = {};
        record_.partition = &nowhere_;
        record_.offset = Offset{static_cast<std::int64_t>(number)};
        record_.value = line;
        auto decoded = decoder_.decode(record_, Format::bytes, Format::json, DuplicateNames::last,
                                       event_);
        if (!decoded) {
            Error error = std::move(decoded).error();
            error.where.clear();
            error.op = "produce";
            return fail(std::move(error));
        }
        if (options_.key) {
            const Cell cell = resolve(*options_.key, event_, Uuid{});
            if (cell.kind == CellKind::absent || cell.kind == CellKind::null) {
                return fail({.action = Action::reject,
                             .op = "produce",
                             .where = {},
                             .code = {},
                             .detail = "the event has no " + options_.key->spelling +
                                       " to take the key from",
                             .hint = {}});
            }
            key = cell.kind == CellKind::string ? cell.text : cell.raw;
        }
        return {};
    }

    void pace(kafka::Producer& producer) {
        if (!options_.rate) {
            return;
        }
        const auto due = started_ +
                         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                             static_cast<double>(sent_) / *options_.rate));
        while (Clock::now() < due && interrupted == 0) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now());
            producer.serve(std::min<std::chrono::milliseconds>(left, 100ms));
        }
    }

    void delivered(std::uint64_t line, const std::optional<Error>& error) {
        if (error) {
            fail_line(line, error->message());
        } else {
            ++acknowledged_;
        }
    }

    void fail_line(std::uint64_t line, const std::string& why) {
        if (++failed_ <= failures_listed_max) {
            end_progress();
            log_->error("line {}: {}", line, why);
        }
    }

    void show_progress(const LineReader& reader) {
        if (isatty(STDERR_FILENO) == 0 || Clock::now() < next_progress_) {
            return;
        }
        next_progress_ = Clock::now() + progress_every;
        const std::chrono::duration<double> passed = Clock::now() - started_;
        std::string line = fmt::format(
            "{} events  {}/s", with_commas(acknowledged_),
            with_commas(static_cast<std::uint64_t>(static_cast<double>(acknowledged_) /
                                                   std::max(passed.count(), 0.001))));
        if (reader.size() && *reader.size() > 0) {
            constexpr std::uint64_t width = 30;
            const std::uint64_t share = reader.bytes_given() * width / *reader.size();
            line += "  [" + std::string(share, '#') + std::string(width - share, '.') + "] " +
                    std::to_string(reader.bytes_given() * 100 / *reader.size()) + " %";
        }
        std::fprintf(stderr, "\r\033[K%s", line.c_str());
        (void)std::fflush(stderr);
        progress_shown_ = true;
    }

    void end_progress() {
        if (progress_shown_) {
            std::fprintf(stderr, "\r\033[K");
            progress_shown_ = false;
        }
    }

    void report() const {
        const std::chrono::duration<double> passed = Clock::now() - started_;
        if (failed_ > failures_listed_max) {
            log_->error("{} more lines failed", failed_ - failures_listed_max);
        }
        log_->info("{} events acknowledged in topic '{}' in {:.1f} s; {} failed, {} empty lines "
                   "skipped",
                   with_commas(acknowledged_), options_.topic, passed.count(), failed_, empty_);
    }

    const ProduceOptions& options_;
    Logger log_;
    TopicPartition nowhere_{"line", PartitionId{0}};
    Decoder decoder_;
    Record record_;
    Event event_;
    Clock::time_point started_ = Clock::now();
    Clock::time_point next_progress_;
    bool progress_shown_ = false;
    std::uint64_t sent_ = 0;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t failed_ = 0;
    std::uint64_t empty_ = 0;
};

}  // namespace

int produce(const ProduceOptions& options) {
    struct sigaction action {};
    action.sa_handler = on_signal;  // No SA_RESTART: a read that waits must return.
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    return Production(options).run();
}

}  // namespace sluice
