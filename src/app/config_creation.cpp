// How targets say that Sluice makes their tables, and adds columns to them.
#include <algorithm>

#include "app/config_sections.hpp"
#include "app/settings.hpp"
#include "base/text.hpp"

namespace sluice {
namespace {

constexpr int sample_max = 100'000;

void read_partition_key(const YamlReader& reader, Database database, Target& target) {
    if (database == Database::postgres) {
        reader.problem("'" + reader.path() + "' is of Cassandra's", "remove it");
        return;
    }
    const auto texts = reader.texts(false);
    if (!texts) {
        return;
    }
    for (const auto& [text, place] : *texts) {
        // In changes the key may be the records' own, which nobody knows yet.
        const bool known = !target.key.empty();
        if (known && std::ranges::find(target.key, text.value) == target.key.end()) {
            reader.context().problems.add(
                place, "'" + reader.path() + "' names " + text.shown() + ", which 'key' does not",
                "the partition key is a part of the key");
        }
        target.create->partition_key.push_back(text.value);
    }
}

}  // namespace

void read_creation(const YamlMap& map, Database database, Target& target) {
    const auto* create = map.find("create");
    const bool single = create != nullptr && create->kind() == YamlNode::Kind::scalar;
    if (single && create->choice(settings::create_words)) {
        target.create.emplace();
    } else if (create != nullptr && !single) {
        target.create.emplace();
        if (const auto inner = create->map(settings::create)) {
            if (const auto* sample = inner->find("sample")) {
                const auto count = sample->integer(1, sample_max);
                target.create->sample = static_cast<std::size_t>(count.value_or(1));
            }
            if (const auto* key = inner->find("partition_key")) {
                read_partition_key(*key, database, target);
            }
        }
    }
    if (target.create && database == Database::cassandra && !is_keyed(target.mode)) {
        create->problem("'" + create->path() + "' makes a table without a primary key, in append",
                        "Cassandra needs one: use `mode: upsert` with a key");
    }
    const auto* evolve = map.find("evolve");
    target.adds_columns = evolve != nullptr && evolve->choice(settings::evolutions) == 1U;
    if (target.adds_columns && !target.columns.empty() && !target.others) {
        evolve->problem("'" + evolve->path() + "' adds columns, and 'columns' lists all there are",
                        "add `\"*\": value.*` to the columns, or leave them out");
    }
    if (target.adds_columns && target.mode == Mode::remove) {
        evolve->problem("'" + evolve->path() + "' adds columns, and mode delete writes none",
                        "remove it");
    }
}

}  // namespace sluice
