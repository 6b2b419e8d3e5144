// The names of all settings: what the reader accepts, the errors list and the documentation
// describes. And the error of a setting that is wrong.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sluice::settings {

using Names = std::span<const std::string_view>;

inline constexpr std::array<std::string_view, 11> root{
    "pipeline", "instance",      "kafka",         "postgres", "cassandra", "dead_letters",
    "routes",   "start_timeout", "drain_timeout", "http",     "memory"};
inline constexpr std::array<std::string_view, 2> dead_letters{"table", "topic"};
inline constexpr std::array<std::string_view, 1> dead_letters_words{"stop"};
inline constexpr std::array<std::string_view, 3> kafka{"brokers", "start", "properties"};
inline constexpr std::array<std::string_view, 6> postgres{"url",  "user",   "password",
                                                          "pool", "schema", "rows_per_s_max"};
inline constexpr std::array<std::string_view, 7> cassandra{
    "hosts", "local_dc", "keyspace", "consistency", "username", "password", "rows_per_s_max"};
inline constexpr std::array<std::string_view, 1> http{"listen"};
inline constexpr std::array<std::string_view, 8> route{
    "topic", "topics", "topic_pattern", "key", "value", "duplicate_names", "postgres", "cassandra"};
inline constexpr std::array<std::string_view, 15> target{
    "table",    "tables",      "mode", "key",     "version", "absent", "columns", "each",
    "truncate", "unavailable", "when", "deleted", "ttl",     "create", "evolve"};
inline constexpr std::array<std::string_view, 2> create{"sample", "partition_key"};
inline constexpr std::array<std::string_view, 2> deleted{"when", "column"};
inline constexpr std::array<std::string_view, 6> column{"from",  "unit",    "encoding",
                                                        "scale", "default", "constant"};

inline constexpr std::array<std::string_view, 4> formats{"json", "string", "bytes", "connect_json"};
inline constexpr std::array<std::string_view, 2> duplicate_names{"refused", "last"};
inline constexpr std::array<std::string_view, 7> modes{
    "append", "upsert", "changes", "insert_ignore", "upsert_newer", "update", "delete"};
inline constexpr std::array<std::string_view, 1> create_words{"true"};
inline constexpr std::array<std::string_view, 2> truncates{"stop", "apply"};
inline constexpr std::array<std::string_view, 2> evolutions{"nothing", "add_columns"};
inline constexpr std::array<std::string_view, 2> absent_values{"keep", "null"};
inline constexpr std::array<std::string_view, 5> units{"s", "ms", "us", "ns", "days"};
inline constexpr std::array<std::string_view, 4> encodings{"base64", "hex", "utf8", "json"};
// ANY is missing on purpose: a write that only a hint holds is not durable.
inline constexpr std::array<std::string_view, 8> consistencies{
    "one", "local_one", "two", "three", "quorum", "local_quorum", "each_quorum", "all"};

// Every setting by its full name: "kafka.brokers", "routes[].topic",
// "routes[].<database>.columns.<column>.from".
std::vector<std::string> all();

// Where a name that is unknown in one section is at home: "kafka", "a route"; empty if nowhere
// or in several.
std::string_view home_of(std::string_view name);

}  // namespace sluice::settings

namespace sluice {

// A problem of a setting without a place yet: Action::configure, detail and hint.
tl::unexpected<Error> bad_setting(std::string detail, std::string hint);

}  // namespace sluice
