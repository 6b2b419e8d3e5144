#include "simulator/world.hpp"

#include <array>
#include <cstdio>
#include <utility>

namespace sluice::sim {

World* world = nullptr;
Process* starting_process = nullptr;

void World::note(std::string_view op) {
    for (const char c : op) {
        fingerprint_ = (fingerprint_ ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3u;
    }
    fingerprint_ ^= static_cast<std::uint64_t>(scheduler.now().time_since_epoch().count());
}

Fate World::fate(Process& asking, std::string_view op) {
    note(op);
    Fate fate = Fate::done;
    if (director) {
        fate = director(asking, op);
    } else {
        const double dice = static_cast<double>(random.below(1'000'000)) * 1e-6;
        double end = faults.request_lost;
        if (dice < end) {
            fate = Fate::request_lost;
        } else if (dice < (end += faults.reply_lost)) {
            fate = Fate::reply_lost;
        } else if (dice < (end += faults.late)) {
            fate = Fate::late;
        } else if (dice < end + faults.refused) {
            fate = Fate::refused;
        }
    }
    if (fate != Fate::done && tells_) {
        static constexpr std::array words{"", "request lost", "reply lost", "late", "refused"};
        tell("process {} {}: {}", asking.number, op, words[static_cast<std::size_t>(fate)]);
    }
    return fate;
}

bool World::befall(Process& passing, std::string_view op) {
    if (random.chance(faults.kill)) {
        kill(passing);
        return true;
    }
    if (random.chance(faults.freeze)) {
        const auto wait = random.chance(0.5) ? random.between(50, 2'000)
                                             : random.between(7'000, 25'000);
        tell("process {} freezes at {} for {} ms", passing.number, op, wait);
        scheduler.freeze(passing, ms(wait));
        return true;
    }
    return false;
}

void World::pass(std::string_view op) {
    if (scheduler.past()) {
        return;
    }
    Process& passing = process();
    if (director) {
        (void)director(passing, op);
    }
    if (befall(passing, op) || passing.frozen_until > scheduler.now()) {
        scheduler.sleep(Wait{0});
    }
}

Fate World::begin(std::string_view op) {
    if (scheduler.past()) {
        return Fate::request_lost;
    }
    Process& asking = process();
    (void)befall(asking, op);
    const Fate decided = fate(asking, op);
    scheduler.sleep(std::chrono::microseconds{random.below(200)});
    return decided;
}

Wait World::way() {
    if (random.chance(faults.slow)) {
        return ms(random.below(3'000));
    }
    return std::chrono::microseconds{random.between(100, 3'000)};
}

void World::kill(Process& process) {
    scheduler.in(Wait{0}, [this, &process] {
        if (process.alive) {
            tell("process {} is killed", process.number);
            scheduler.kill(process);
        }
    });
}

void World::fail(std::string reason) {
    if (!failure_) {
        tell("WRONG: {}", reason);
        failure_ = std::move(reason);
    }
}

void World::write(const std::string& line) {
    const auto at = std::chrono::duration_cast<std::chrono::microseconds>(
                        scheduler.now().time_since_epoch())
                        .count() -
                    1'000'000'000;
    std::printf("%10.3f ms  %s\n", static_cast<double>(at) / 1000, line.c_str());
}

}  // namespace sluice::sim
