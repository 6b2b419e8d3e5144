// Runs histories; see README.md.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "simulator/directed.hpp"

namespace {

using namespace sluice::sim;

constexpr auto usage = R"(usage: simulator postgres|cassandra [--histories N] [--seed S]
       simulator postgres|cassandra --replay SEED|NAME

  Runs the directed schedules, then N histories (1000) from the seed S (1) on; ends at the first
  that is wrong, and tells it step by step.
  --replay   tells one history, by its seed, or one directed schedule, by its name
  --brief    only says which one is wrong, and why
  --twice    each history twice: both must be the same
  --count    goes on where one is wrong, and counts them
)";

struct Options {
    Database database = Database::postgres;
    std::uint64_t seed = 1;
    std::uint64_t histories = 1'000;
    std::string replay;
    bool brief = false;
    bool twice = false;
    bool count = false;
};

struct Outcome {
    std::optional<std::string> wrong;
    std::uint64_t fingerprint = 0;
};

Outcome run_seed(Database database, std::uint64_t seed, bool tells) {
    History history(database, seed, tells);
    Outcome outcome{.wrong = history.run(), .fingerprint = 0};
    outcome.fingerprint = history.own_world.fingerprint();
    return outcome;
}

Outcome run_directed(const Directed& directed, bool tells) {
    History history(directed.database, 1, tells);
    return {.wrong = directed.run(history), .fingerprint = history.own_world.fingerprint()};
}

int tell(const std::string& name, const Outcome& outcome) {
    std::printf("%s: %s\n", name.c_str(), outcome.wrong ? outcome.wrong->c_str() : "all is right");
    return outcome.wrong ? 1 : 0;
}

int replay(const Options& options) {
    for (const auto& directed : directed_schedules()) {
        if (options.replay == directed.name) {
            return tell(directed.name, run_directed(directed, true));
        }
    }
    char* end = nullptr;
    const auto seed = std::strtoull(options.replay.c_str(), &end, 10);
    if (options.replay.empty() || *end != '\0') {
        std::fprintf(stderr, "no directed schedule is called %s\n", options.replay.c_str());
        return 2;
    }
    return tell("seed " + options.replay, run_seed(options.database, seed, true));
}

int count(const Options& options) {
    std::uint64_t wrong = 0;
    for (std::uint64_t seed = options.seed; seed < options.seed + options.histories; ++seed) {
        wrong += run_seed(options.database, seed, false).wrong ? 1 : 0;
    }
    std::printf("%llu of %llu histories are wrong\n", static_cast<unsigned long long>(wrong),
                static_cast<unsigned long long>(options.histories));
    return wrong == 0 ? 0 : 1;
}

int run(const Options& options) {
    std::size_t schedules = 0;
    for (const auto& directed : directed_schedules()) {
        if (directed.database != options.database) {
            continue;
        }
        ++schedules;
        if (run_directed(directed, false).wrong) {
            return tell(directed.name, run_directed(directed, !options.brief));
        }
    }
    for (std::uint64_t seed = options.seed; seed < options.seed + options.histories; ++seed) {
        Outcome outcome = run_seed(options.database, seed, false);
        if (options.twice && !outcome.wrong &&
            run_seed(options.database, seed, false).fingerprint != outcome.fingerprint) {
            outcome.wrong = "the same seed gave another history";
        }
        if (outcome.wrong) {
            const auto name = "seed " + std::to_string(seed);
            return options.brief ? tell(name, outcome)
                                 : tell(name, run_seed(options.database, seed, true));
        }
    }
    std::printf("%zu directed schedules, %llu histories from seed %llu on: all are right\n",
                schedules, static_cast<unsigned long long>(options.histories),
                static_cast<unsigned long long>(options.seed));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    bool good = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view flag = argv[i];
        const bool more = i + 1 < argc;
        if (flag == "postgres" || flag == "cassandra") {
            options.database = flag == "postgres" ? Database::postgres : Database::cassandra;
            good = true;
        } else if (flag == "--seed" && more) {
            options.seed = std::strtoull(argv[++i], nullptr, 10);
        } else if (flag == "--histories" && more) {
            options.histories = std::strtoull(argv[++i], nullptr, 10);
        } else if (flag == "--replay" && more) {
            options.replay = argv[++i];
        } else if (flag == "--brief") {
            options.brief = true;
        } else if (flag == "--count") {
            options.count = true;
        } else if (flag == "--twice") {
            options.twice = true;
        } else {
            good = false;
            break;
        }
    }
    if (!good) {
        (void)std::fputs(usage, stderr);
        return 2;
    }
    if (!options.replay.empty()) {
        return replay(options);
    }
    return options.count ? count(options) : run(options);
}
