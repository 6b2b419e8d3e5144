#include "simulator/shape.hpp"

namespace sluice::sim {

Shape draw_shape(Database database, Random& random) {
    const auto some = [&](double chance, double most) {
        return random.chance(chance) ? most * static_cast<double>(random.between(1, 100)) / 100 : 0;
    };
    Shape shape;
    shape.partitions = static_cast<std::int32_t>(random.between(1, 3));
    shape.processes = static_cast<std::int32_t>(random.between(1, 3));
    shape.lasts_ms = random.between(4'000, 20'000);
    shape.bursts = static_cast<std::int32_t>(random.between(3, 14));
    shape.grows = random.chance(0.5) ? static_cast<std::int32_t>(random.between(1, 2)) : 0;
    shape.keys = static_cast<std::int32_t>(random.between(1, 8));
    shape.keys_move = database == Database::cassandra && random.chance(0.7);
    shape.odd_timestamps = some(0.7, 0.8);
    shape.gaps = some(0.4, 0.3);
    shape.bad = some(0.4, 0.3);
    shape.deletes = some(0.8, 0.5);
    shape.restarts = some(0.7, 0.4);
    shape.expulsions = some(0.4, 0.3);
    shape.outages = some(0.4, 0.3);
    shape.targets_change = database == Database::cassandra && random.chance(0.3);
    shape.faults = {.kill = some(0.4, 0.01),
                    .freeze = some(0.4, 0.01),
                    .request_lost = some(0.4, 0.1),
                    .reply_lost = some(0.4, 0.1),
                    .late = some(0.5, 0.1),
                    .refused = some(0.4, 0.2),
                    .slow = some(0.4, 0.2)};
    shape.fencing = random.chance(0.1) ? Fencing::none : Fencing::membership;
    if (database == Database::cassandra && random.chance(0.3)) {
        shape.compacted = true;
        shape.fencing = Fencing::generation;  // A bound that is acknowledged late is one too many.
        shape.bad = 0;                        // A letter would be gone with its record.
    }
    return shape;
}

}  // namespace sluice::sim
