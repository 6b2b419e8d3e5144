#include "app/cli_dlq.hpp"
#include "base/text.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>

namespace sluice {
namespace {

constexpr int limit_max = 1'000'000'000;

constexpr const char* list_help = "List dead letters, without their values";
constexpr const char* show_help = "Show one dead letter whole";
constexpr const char* replay_help = "Take dead letters back into their tables";
constexpr const char* skip_help = "Pass over one record on which a partition stopped";

constexpr const char* dlq_footer = R"(Examples:
  sluice dlq list -c sluice.yaml --topic orders
  sluice dlq show -c sluice.yaml 'orders[3]@120'
  sluice dlq replay -c sluice.yaml --all
  sluice dlq skip -c sluice.yaml orders/3@120 --lane postgres
`sluice dlq COMMAND --help` says more.)";

constexpr const char* list_footer = R"(Examples:
  sluice dlq list -c sluice.yaml
  sluice dlq list -c sluice.yaml --lane postgres --topic orders --limit 20 --json)";

constexpr const char* show_footer = R"(Examples:
  sluice dlq show -c sluice.yaml orders/3@120
  sluice dlq show -c sluice.yaml 'orders[3]@120' --lane postgres --raw > value.json
Bytes that are no text are shown in hexadecimal, and what a terminal would act on as \xNN.)";

constexpr const char* replay_footer =
    R"(Each letter is read and mapped as the configuration has it now, and written into the lane's own
tables; nothing goes back into a topic. What fails again stays where it is.
Examples:
  sluice dlq replay -c sluice.yaml orders/3@120
  sluice dlq replay -c sluice.yaml --all --lane postgres)";

constexpr const char* skip_footer =
    R"(Where the configuration has dead_letters, the record goes there first; else it is lost.
Example:
  sluice dlq skip -c sluice.yaml orders/3@120 --lane postgres)";

template <class T>
std::optional<T> parse_number(std::string_view digits) {
    T number = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(),
                                                number);
    const bool whole = problem == std::errc{} && end == digits.data() + digits.size();
    return whole && number >= 0 ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<std::pair<TopicPartition, Offset>> parse_record_place(std::string_view text) {
    const auto at = text.rfind('@');
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const auto offset = parse_number<std::int64_t>(text.substr(at + 1));
    auto place = text.substr(0, at);
    const bool brackets = place.ends_with(']');
    const auto split = place.rfind(brackets ? '[' : '/');
    if (split == std::string_view::npos || split == 0) {
        return std::nullopt;
    }
    const auto topic = place.substr(0, split);
    place.remove_prefix(split + 1);
    place.remove_suffix(brackets ? 1 : 0);
    const auto partition = parse_number<std::int32_t>(place);
    if (!partition || !offset) {
        return std::nullopt;
    }
    return std::pair(TopicPartition{std::string(topic), PartitionId{*partition}}, Offset{*offset});
}

CLI::App& DlqFlags::add_command(FlagValues& values, const char* name, const char* help,
                                const std::string& footer) {
    CLI::App& command = *dlq_->add_subcommand(name, help)->group("Commands");
    command.footer(footer);
    add_flag(command, values,
             {"--lane", "", "LANE", "Dead letters", "postgres or cassandra (default: each)"});
    return command;
}

void DlqFlags::add(CLI::App& app, FlagValues& values, const std::string& footer) {
    dlq_ = app.add_subcommand("dlq", "List, show, replay dead letters; skip a record")
               ->group("Commands");
    dlq_->footer(dlq_footer);
    dlq_->require_subcommand(0, 1);
    const auto positional = [this](CLI::App& command) {
        command.add_option("record", place_, "the record: TOPIC/PARTITION@OFFSET")
            ->type_name("T/P@O")
            ->group("Dead letters");
    };
    CLI::App& list = add_command(values, "list", list_help, list_footer);
    // Not as a flag of the pipeline's, which can't stand beside a file.
    list.add_option("--topic", options.topic, "of this topic only")
        ->type_name("NAME")
        ->group("Dead letters");
    add_flag(list, values,
             {"--limit", "", "N", "Dead letters", "list at most so many (default: 100)"});
    list.add_flag("--json", options.json, "print JSON")->group("Dead letters");
    CLI::App& show = add_command(values, "show", show_help, show_footer);
    positional(show);
    show.add_flag("--raw", options.raw, "print the value's bytes alone")->group("Dead letters");
    CLI::App& replay = add_command(values, "replay", replay_help, replay_footer);
    positional(replay);
    replay.add_flag("--all", all_, "all of them")->group("Dead letters");
    CLI::App& skip = add_command(values, "skip", skip_help, skip_footer + footer);
    positional(skip);
    skip.add_flag("--yes", options.yes, "don't ask")->group("Dead letters");
    for (CLI::App* command : {&list, &show, &replay}) {
        add_config_flag(*command, values);
    }
    add_pipeline_flags(skip, values);
}

bool DlqFlags::parsed() const { return dlq_->parsed(); }

bool DlqFlags::needs_file() const { return parsed() && !is(DlqCommand::skip); }

std::string DlqFlags::read(Flags& flags) {
    const auto commands = dlq_->get_subcommands();
    const std::string name = commands.empty() ? "" : commands.front()->get_name();
    constexpr std::array<std::string_view, 4> names{"list", "show", "replay", "skip"};
    const auto found = std::ranges::find(names, name);
    options.command = static_cast<DlqCommand>(found - names.begin());
    const std::string command = "sluice dlq " + name;
    if (needs_file() && !flags.given("-c")) {
        flags.problem(command, "-c is missing", "give -c FILE: dead_letters stands in a file");
    }
    if (const auto lane = flags.choice("--lane", lane_words)) {
        options.lane = lane_words[*lane];
    }
    if (const auto limit = flags.integer("--limit", 0, limit_max)) {
        options.limit = static_cast<std::size_t>(*limit);
    }
    if (!place_.empty()) {
        options.record = parse_record_place(place_);
        if (!options.record) {
            flags.problem(command, "'" + printable(place_) + "' names no record",
                          "write TOPIC/PARTITION@OFFSET, such as orders/3@120");
        } else if (all_) {
            flags.problem(command, "a record and --all are both given", "keep one of them");
        }
    } else if (is(DlqCommand::show) || is(DlqCommand::skip)) {
        flags.problem(command, "the record is missing", "give TOPIC/PARTITION@OFFSET");
    } else if (is(DlqCommand::replay) && !all_) {
        flags.problem(command, "it is not said which letters",
                      "give TOPIC/PARTITION@OFFSET, or --all");
    }
    if (is(DlqCommand::skip) && options.lane.empty()) {
        flags.problem(command, "--lane is missing", "give --lane postgres or --lane cassandra");
    }
    return options.lane;
}

}  // namespace sluice
