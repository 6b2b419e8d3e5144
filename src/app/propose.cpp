#include "app/propose.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/check.hpp"
#include "map/path.hpp"

namespace sluice {
namespace {

// A member that less than half of the objects have makes no column, nor do so many members.
constexpr std::size_t members_max = 40;
// 2000 to 2100, in seconds.
constexpr std::int64_t year_2000 = 946'684'800;
constexpr std::int64_t year_2100 = 4'102'444'800;

bool is_envelope(const TopicProfile& profile) {
    return profile.envelopes > 0 && profile.envelopes * 2 >= profile.values();
}
bool is_object(const TopicProfile& profile) {
    return profile.values() > 0 && profile.objects * 2 >= profile.values();
}
bool has_object_keys(const TopicProfile& profile) {
    return profile.keys > 0 && profile.object_keys == profile.keys;
}

std::string count_of(std::size_t part, std::size_t whole) {
    return part == whole ? fmt::format("all {}", whole) : fmt::format("{} of {}", part, whole);
}

// "magType" → "mag_type", "odd-name" → "odd_name".
std::string snake(std::string_view name) {
    std::string out;
    for (const char c : name) {
        const bool upper = c >= 'A' && c <= 'Z';
        const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        const bool after_small = !out.empty() && ((out.back() >= 'a' && out.back() <= 'z') ||
                                                  (out.back() >= '0' && out.back() <= '9'));
        if (upper && after_small) {
            out.push_back('_');
        }
        out.push_back(upper ? static_cast<char>(c - 'A' + 'a') : kept ? c : '_');
    }
    return out.substr(0, 48);  // As long as both databases take it.
}

Path path_of(std::string spelling, std::span<const std::string_view> names) {
    for (const auto name : names) {
        std::string quoted = "\"";
        for (const char c : name) {
            quoted.append(c == '"' || c == '\\' ? "\\" : "").push_back(c);
        }
        const std::string bare = spelling + "." + std::string(name);
        spelling = parse_path(bare) ? bare : spelling + "." + quoted + "\"";
    }
    auto path = parse_path(spelling);
    check(path.has_value(), "a path that was put together can be read");
    return *std::move(path);
}

// What a whole number of this name and size is: a time since 1970 in some unit.
TimeUnit unit_of(const FieldProfile& field) {
    constexpr std::array<std::string_view, 8> hints{"time", "date",    "_at",     "ts",
                                                    "when", "created", "updated", "modified"};
    const std::string name = snake(field.name);
    const bool hinted = std::ranges::any_of(
        hints, [&](std::string_view hint) { return name.find(hint) != std::string::npos; });
    if (!hinted || field.integers == 0 || field.integers + field.nulls != field.seen) {
        return TimeUnit::none;
    }
    std::int64_t scale = 1;
    for (const auto unit :
         {TimeUnit::seconds, TimeUnit::millis, TimeUnit::micros, TimeUnit::nanos}) {
        if (field.least >= year_2000 * scale && field.most <= year_2100 * scale) {
            return unit;
        }
        scale *= 1000;
    }
    return TimeUnit::none;
}

bool is_flat(const FieldProfile& field) {
    const bool object = field.objects > 0 && field.objects + field.nulls == field.seen;
    return object && field.parts.size() <= members_max &&
           std::ranges::all_of(field.parts,
                               [&](const auto& part) { return part.seen * 2 >= field.objects; });
}

class Columns {
public:
    explicit Columns(ProposedTarget& out) : out_(out) {}

    void add(const std::string& name, Path path, std::string why, Reading reading = {}) {
        out_.target.columns.push_back(
            {.column = name, .path = std::move(path), .reading = reading});
        out_.column_whys.push_back(std::move(why));
    }
    [[nodiscard]] bool has(const std::string& name) const {
        return std::ranges::find(out_.target.columns, name, &ColumnSource::column) !=
               out_.target.columns.end();
    }
    void add_field(const FieldProfile& field, std::string name, Path path, std::size_t of) {
        for (int i = 2; has(name); ++i) {
            name = fmt::format("{}_{}", snake(field.name), i);
        }
        const TimeUnit unit = unit_of(field);
        std::string why = "in " + count_of(field.seen, of);
        why += field.nulls > 0 ? fmt::format(", {} null", field.nulls) : "";
        if (unit != TimeUnit::none) {
            why += ", by its name and size a time since 1970";
        }
        add(name, std::move(path), std::move(why), {.unit = unit});
    }
    // The members of the value, those of its objects beside them.
    void add_fields(const TopicProfile& profile) {
        for (const auto& field : profile.fields) {
            const std::array names{std::string_view(field.name)};
            if (!is_flat(field) && field.name != "__deleted" && !has(snake(field.name))) {
                add_field(field, snake(field.name), path_of("value", names), profile.objects);
            }
        }
        for (const auto& field : profile.fields) {
            for (const auto& part : is_flat(field) ? field.parts : std::vector<FieldProfile>{}) {
                const std::array names{std::string_view(field.name), std::string_view(part.name)};
                const std::string name = has(snake(part.name)) ? snake(field.name + "_" + part.name)
                                                               : snake(part.name);
                add_field(part, name, path_of("value", names), profile.objects);
            }
        }
    }

private:
    ProposedTarget& out_;
};

const FieldProfile* equal_to_key(const TopicProfile& profile) {
    const auto found = std::ranges::find_if(profile.fields, [&](const FieldProfile& field) {
        return field.as_key > 0 && field.as_key == profile.values();
    });
    return found == profile.fields.end() ? nullptr : &*found;
}

// A field that looks like the name of its row, and of which no value comes twice.
const FieldProfile* name_of_rows(const TopicProfile& profile) {
    const auto found = std::ranges::find_if(profile.fields, [&](const FieldProfile& field) {
        const std::string name = snake(field.name);
        const bool hinted = name == "id" || name == "uuid" || name == "key" || name == "guid" ||
                            name.ends_with("_id");
        return hinted && field.nulls == 0 && field.seen == profile.values() &&
               field.different == field.seen;
    });
    return found == profile.fields.end() ? nullptr : &*found;
}

void key_of_members(const TopicProfile& profile, ProposedTarget& out, Columns& columns) {
    for (const auto& member : profile.key_members) {
        const std::array names{std::string_view(member)};
        columns.add(snake(member), path_of("key", names), "from the record's key");
        out.target.key.push_back(snake(member));
    }
    out.key_why = "what the records' keys have";
}

void propose_keyed(const TopicProfile& profile, ProposedTarget& out, Columns& columns) {
    const FieldProfile* same = equal_to_key(profile);
    const std::string name = same != nullptr ? snake(same->name) : "key";
    columns.add(name, path_of("key", {}), "the record's key");
    out.target.key = {name};
    out.key_why = same != nullptr ? "every record's key is its value." + same->name
                                  : fmt::format("{} different keys in {} records",
                                                profile.different_keys, profile.records);
}

// Records that have no name of their own: each makes a row.
void propose_rows_of_records(Database database, ProposedTarget& out, Columns& columns) {
    if (database == Database::postgres) {
        return;
    }
    columns.add("kafka_partition", path_of("meta.partition", {}), "with the offset, the record");
    columns.add("kafka_offset", path_of("meta.offset", {}), "");
    out.target.mode = Mode::upsert;
    out.target.key = {"kafka_partition", "kafka_offset"};
    out.mode_why = "Cassandra needs a key, and these records have none";
    out.key_why = "each record is a row of its own";
}

void propose_objects(const TopicProfile& profile, Database database, ProposedTarget& out) {
    Columns columns(out);
    const bool all_keyed = profile.keys == profile.records && profile.binary_keys == 0;
    const bool names_rows = has_object_keys(profile) || equal_to_key(profile) != nullptr ||
                            profile.different_keys == profile.records || profile.tombstones > 0;
    out.target.mode = Mode::upsert;
    out.mode_why = fmt::format(
        "one row a key, the last record counts: {} different ones in {} records",
        profile.different_keys, profile.records);
    const FieldProfile* id = name_of_rows(profile);
    if (has_object_keys(profile)) {
        key_of_members(profile, out, columns);
    } else if (all_keyed && names_rows) {
        propose_keyed(profile, out, columns);
    } else if (id != nullptr) {
        const std::array names{std::string_view(id->name)};
        columns.add(snake(id->name), path_of("value", names), "");
        out.target.key = {snake(id->name)};
        out.mode_why = "one row for each of the key";
        out.key_why = fmt::format("a guess: no value of it comes twice in {} records; the records' "
                                  "own keys don't say which rows they are",
                                  profile.records);
    } else {
        out.target.mode = Mode::append;
        out.mode_why = "nothing names a record's row: each one makes a row";
        propose_rows_of_records(database, out, columns);
        if (all_keyed) {
            columns.add("key", path_of("key", {}), "the record's key");
        }
    }
    columns.add_fields(profile);
    if (profile.flattened > 0 && is_keyed(out.target.mode)) {
        Condition condition;
        condition.terms.push_back({.path = path_of("value.__deleted", {}), .values = {"true"}});
        out.target.deleted = std::move(condition);
        out.deleted_why = "Debezium's flattened records say so (ExtractNewRecordState)";
    }
}

}  // namespace

ProposedFormats propose_formats(const TopicProfile& profile) {
    ProposedFormats out;
    if (!is_object(profile)) {
        out.value = profile.binary > 0 ? Format::bytes : Format::string;
        out.value_why = profile.binary > 0
                            ? count_of(profile.binary, profile.values()) + " values are no text"
                            : count_of(profile.objects, profile.values()) +
                                  " values are JSON objects";
        out.value_why += profile.registry > 0
                             ? "; they may be a schema registry's (Avro, Protobuf), which are "
                               "stored, but not read"
                             : "";
    } else if (profile.with_schema > 0) {
        out.value = Format::connect_json;
        out.value_why = count_of(profile.with_schema, profile.values()) +
                        " have a schema beside their payload, as Kafka Connect writes it";
    } else if (is_envelope(profile)) {
        out.value = Format::connect_json;
        out.value_why = "without schemas beside them: declare what times and decimals are";
    } else {
        out.value_why = count_of(profile.objects, profile.values()) + " values are JSON objects";
    }
    if (has_object_keys(profile)) {
        out.key = out.value == Format::connect_json ? Format::connect_json : Format::json;
        out.key_why = "all keys are JSON objects";
    } else if (profile.binary_keys > 0) {
        out.key = Format::bytes;
        out.key_why = count_of(profile.binary_keys, profile.keys) + " keys are no text";
    }
    return out;
}

ProposedTarget propose_target(const TopicProfile& profile, const std::string& topic,
                              const ProposedFormats& formats, Database database) {
    ProposedTarget out;
    if (!is_json(formats.value)) {
        return out;
    }
    const auto dot = topic.rfind('.');
    out.target.table = snake(topic.substr(dot == std::string::npos ? 0 : dot + 1));
    out.table_why = dot == std::string::npos ? "the topic's name"
                                             : "the last part of the topic's name";
    out.target.create.emplace();
    if (!is_envelope(profile)) {
        propose_objects(profile, database, out);
        return out;
    }
    out.target.mode = Mode::changes;
    out.mode_why = count_of(profile.envelopes, profile.values()) +
                   " are Debezium's change events: the table follows the source's";
    out.target.key = profile.key_members;
    out.key_why = "what the records' keys have: the primary key at the source";
    if (out.target.key.empty()) {
        out.target.key = {"id"};
        out.key_why = "a guess: the records have no key; name the source's primary key";
    }
    return out;
}

}  // namespace sluice
