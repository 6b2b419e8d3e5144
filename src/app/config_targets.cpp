#include <algorithm>

#include "app/config_sections.hpp"
#include "base/text.hpp"
#include "map/change.hpp"
#include "sinks/events.hpp"

namespace sluice {
namespace {

// PostgreSQL's limits of a table's columns and an index's; generous for Cassandra.
constexpr std::size_t columns_max = 1600;
constexpr std::size_t key_columns_max = 32;

void read_path(const YamlReader& reader, ColumnSource& column) {
    if (const auto text = reader.text_not_empty()) {
        column.path = parsed_path(reader, text->value).value_or(Path{});
    }
}

// `value.after.*`: the columns that are not named, each by its name.
void read_others(const YamlReader& reader, Target& target) {
    constexpr std::string_view each = ".*";
    const auto text = reader.text_not_empty();
    if (!text) {
        return;
    }
    if (!text->value.ends_with(each)) {
        reader.problem("'" + printable(reader.path()) + "' is " + text->shown(),
                       "it fills all other columns by their names: write value.*");
        return;
    }
    target.others = parsed_path(
        reader, std::string_view(text->value).substr(0, text->value.size() - each.size()));
}

void read_scale(const YamlReader& reader, Reading& reading) {
    // PostgreSQL's numeric has no more digits behind its point.
    reading.scale = reader.integer(-16'383, 16'383);
    if (reading.encoding != BytesEncoding::base64 && reading.encoding != BytesEncoding::hex) {
        reader.problem("'" + printable(reader.path()) +
                           "' is for a number that is written as bytes",
                       "add `encoding: base64`, or remove it");
    }
}

void read_constant(const YamlMap& map, const YamlReader& reader, ColumnSource& column) {
    for (const auto name : settings::column) {
        if (const auto* other = name == "constant" ? nullptr : map.find(name)) {
            other->problem("'" + printable(other->path()) + "' stands beside a constant",
                           "keep one of them");
        }
    }
    if (const auto text = reader.text()) {
        column.path = {
            .source = Source::constant, .name = text->value, .steps = {}, .spelling = "constant"};
    }
}

ColumnSource read_column(const YamlMap::Entry& entry, Database database) {
    ColumnSource column;
    column.column = entry.name;
    if (const auto wrong = refused_identifier(entry.name, database)) {
        entry.value.context().problems.add(
            entry.place, "'" + printable(entry.name) + "' can't be a column", *wrong);
    }
    if (entry.value.kind() == YamlNode::Kind::scalar) {
        read_path(entry.value, column);
        return column;
    }
    if (entry.value.kind() != YamlNode::Kind::map) {
        entry.value.problem("'" + printable(entry.value.path()) +
                                "' must say where the column "
                                "comes from",
                            "write a path like value.id, or {from: value.at, unit: ms}");
        return column;
    }
    const auto map = entry.value.map(settings::column);
    if (const auto* from = map->find("from")) {
        read_path(*from, column);
    }
    column.reading.unit = read_choice(*map, "unit", settings::units, TimeUnit::none, 1);
    column.reading.encoding = read_choice(*map, "encoding", settings::encodings,
                                          BytesEncoding::none, 1);
    if (map->find("unit") != nullptr && map->find("encoding") != nullptr) {
        map->find("encoding")
            ->problem("'" + printable(entry.value.path()) + "' has both a unit and an encoding",
                      "a unit is for times, an encoding for bytes: keep one");
    }
    if (const auto* scale = map->find("scale")) {
        read_scale(*scale, column.reading);
    }
    if (const auto* otherwise = map->find("default")) {
        if (otherwise->is_null_word()) {
            otherwise->problem("'" + printable(otherwise->path()) + "' is null",
                               "`absent: null` in the target writes null for what is absent");
        } else if (const auto text = otherwise->text()) {
            column.otherwise = text->value;
        }
    }
    if (const auto* constant = map->find("constant")) {
        read_constant(*map, *constant, column);
    }
    return column;
}

void read_columns(const YamlReader& reader, Database database, TargetConfig& config) {
    const auto map = reader.open_map("columns with their paths, `column: value.field`");
    if (!map) {
        return;
    }
    if (map->entries().empty()) {
        reader.problem("'" + reader.path() + "' is empty",
                       "leave it out to fill the table's columns by name");
    }
    if (map->entries().size() > columns_max) {
        reader.problem("'" + reader.path() + "' has " + std::to_string(map->entries().size()) +
                           " columns",
                       "a table has at most " + std::to_string(columns_max));
        return;
    }
    for (const auto& entry : map->entries()) {
        if (entry.name == "*") {
            read_others(entry.value, config.target);
            continue;
        }
        config.target.columns.push_back(read_column(entry, database));
        config.column_places.push_back(entry.place);
    }
}

void read_key(const YamlReader& reader, Target& target) {
    const auto texts = reader.texts(false);
    if (!texts) {
        return;
    }
    if (texts->size() > key_columns_max) {
        reader.problem("'" + reader.path() + "' names " + std::to_string(texts->size()) +
                           " columns",
                       "at most " + std::to_string(key_columns_max) + " tell rows apart");
        return;
    }
    std::vector<std::string_view> columns;
    for (const auto& column : target.columns) {
        columns.push_back(column.column);
    }
    Problems& problems = reader.context().problems;
    for (const auto& [text, place] : *texts) {
        if (std::ranges::find(target.key, text.value) != target.key.end()) {
            problems.add(place, "'" + reader.path() + "' names " + text.shown() + " twice",
                         "keep one of them");
            continue;
        }
        target.key.push_back(text.value);
        if (!columns.empty() && !target.others &&
            std::ranges::find(columns, text.value) == columns.end()) {
            problems.add(place,
                         "'" + reader.path() + "' names " + text.shown() +
                             ", which 'columns' does not fill",
                         allowed_names(text.value, columns));
        }
    }
}

// Of change events a path leads into the envelope.
void check_change_paths(const YamlReader& reader, const TargetConfig& config) {
    const auto report = [&](const Path& path, const Place& place) {
        if (const auto mistake = mistake_in_change_path(path)) {
            reader.context().problems.add(place, mistake->detail, mistake->hint);
        }
    };
    const Target& target = config.target;
    for (std::size_t i = 0; i < target.columns.size(); ++i) {
        report(target.columns[i].path, config.column_places[i]);
    }
    if (target.others) {
        report(source_by_name(target, "*", false)->path, config.place);
    }
}

void read_unavailable(const YamlReader& reader, Target& target) {
    const auto text = reader.text_not_empty();
    if (target.mode != Mode::changes && target.mode != Mode::upsert &&
        target.mode != Mode::update) {
        reader.problem("'" + reader.path() +
                           "' has a meaning in the modes changes, upsert and "
                           "update only",
                       "add `mode: changes`, or remove it");
    } else if (text) {
        target.unavailable = text->value;
    }
}

// Why a database can't do it, or nothing.
std::optional<std::string> refused_mode(Mode mode, Database database) {
    if (database == Database::postgres || (mode != Mode::insert_ignore && mode != Mode::update)) {
        return std::nullopt;
    }
    return "Cassandra would have to read before each write (IF NOT EXISTS, IF EXISTS), which no "
           "replay leaves alone: use upsert, upsert_newer or delete";
}

void read_version(const YamlMap& map, Target& target) {
    const auto* version = map.find("version");
    if (target.mode == Mode::upsert_newer && version == nullptr) {
        map.self().problem("'" + map.self().path() +
                               ".version' is missing: upsert_newer needs the column that says "
                               "what is newer",
                           "for example `version: updated_at`");
    }
    if (version == nullptr) {
        return;
    }
    if (target.mode != Mode::upsert_newer) {
        version->problem("'" + version->path() + "' has a meaning in mode upsert_newer only",
                         "add `mode: upsert_newer`, or remove it");
    } else if (const auto text = version->text_not_empty()) {
        target.version = text->value;
    }
}

void read_absent(const YamlReader& reader, Target& target) {
    target.absent_is_null = reader.is_null_word() || reader.choice(settings::absent_values) == 1U;
    if (target.mode == Mode::upsert_newer && !target.absent_is_null) {
        reader.problem("'" + reader.path() + "' is keep, in mode upsert_newer",
                       "there a newer record is the whole row: remove it");
    }
}

void read_mode(const YamlMap& map, Database database, Target& target) {
    const auto* mode = map.find("mode");
    const auto* key = map.find("key");
    const auto* absent = map.find("absent");
    const auto chosen = mode != nullptr ? mode->choice(settings::modes) : 0;
    target.mode = static_cast<Mode>(chosen.value_or(0));
    if (const auto refused = refused_mode(target.mode, database)) {
        mode->problem("'" + mode->path() + "' is " + std::string(settings::modes[*chosen]),
                      *refused);
    }
    if (key != nullptr) {
        read_key(*key, target);
    }
    if (absent != nullptr) {
        read_absent(*absent, target);
    }
    read_version(map, target);
    if (is_keyed(target.mode) && target.mode != Mode::changes && key == nullptr) {
        map.self().problem("'" + map.self().path() + ".key' is missing: mode " +
                               std::string(settings::modes[*chosen]) +
                               " needs the columns that tell rows apart",
                           "for example `key: [id]`");
    }
    if (const auto* unavailable = map.find("unavailable")) {
        read_unavailable(*unavailable, target);
    }
    for (const auto* reader : {key, absent}) {
        if (reader != nullptr && chosen == 0U) {
            reader->problem("'" + reader->path() + "' has no meaning in mode append",
                            "add `mode: upsert`, or remove it");
        }
    }
}

void read_ttl(const YamlReader& reader, Database database, Target& target) {
    if (database == Database::postgres) {
        reader.problem("'" + reader.path() +
                           "' is of Cassandra's: rows of PostgreSQL do not expire",
                       "remove it");
        return;
    }
    const auto text = reader.text_not_empty();
    if (text && (text->value.front() < '0' || text->value.front() > '9')) {
        target.ttl = parsed_path(reader, text->value);
        if (target.mode == Mode::changes) {
            reader.problem("'" + reader.path() + "' is a path, in mode changes",
                           "there it is the same for all rows, such as 30d");
        }
        return;
    }
    if (const auto ms = reader.duration_ms(1000, std::int64_t{ttl_s_max} * 1000, "1s to 7300d")) {
        target.ttl_s = static_cast<std::int32_t>(*ms / 1000);
        if (*ms % 1000 != 0) {
            reader.problem("'" + reader.path() + "' is no whole number of seconds",
                           "rows expire by the second");
        }
    }
}

void read_truncate(const YamlReader& reader, Database database, Target& target) {
    target.truncates = reader.choice(settings::truncates) == 1U;
    const std::string name = "'" + reader.path() + "'";
    if (target.mode != Mode::changes) {
        reader.problem(name + " has a meaning in mode changes only",
                       "add `mode: changes`, or remove it");
    } else if (target.truncates && database == Database::cassandra) {
        reader.problem(name + " is apply, in Cassandra",
                       "its TRUNCATE has no timestamp, so that a replay would delete what came "
                       "later: remove it");
    }
}

TargetConfig read_target(const YamlReader& reader, Database database) {
    TargetConfig config;
    config.place = reader.place();
    if (reader.is_plain("true")) {
        return config;
    }
    if (reader.kind() != YamlNode::Kind::map) {
        reader.problem("'" + reader.path() +
                           "' must be true, a table's settings, or a list of "
                           "those",
                       "for example {table: orders}; true fills the table events");
        return config;
    }
    const auto map = reader.map(settings::target);
    read_table_name(*map, database, config);
    if (const auto* columns = map->find("columns")) {
        read_columns(*columns, database, config);
    }
    read_mode(*map, database, config.target);
    if (const auto* truncate = map->find("truncate")) {
        read_truncate(*truncate, database, config.target);
    }
    if (const auto* each = map->find("each")) {
        read_each(*each, config.target);
    }
    read_conditions(*map, config.target);
    if (const auto* ttl = map->find("ttl")) {
        read_ttl(*ttl, database, config.target);
    }
    read_creation(*map, database, config.target);
    for (auto& column : config.target.columns) {
        if (column.path.spelling.empty()) {
            column.path = source_by_name(config.target, column.column, false)->path;
        }
    }
    if (config.target.mode == Mode::changes) {
        check_change_paths(reader, config);
    }
    if (!config.target.each) {
        check_no_items(reader, config);
    }
    return config;
}

}  // namespace

std::vector<TargetConfig> read_targets(const YamlMap& route, std::string_view name,
                                       Database database) {
    std::vector<TargetConfig> targets;
    const auto* reader = route.find(name);
    if (reader == nullptr) {
        return targets;
    }
    for (const auto& item : reader->items()) {
        targets.push_back(read_target(item, database));
    }
    if (targets.empty()) {
        reader->problem("'" + reader->path() + "' is an empty list",
                        "name a table, write true, or remove it");
    }
    return targets;
}

}  // namespace sluice
