// The configuration of one process: the YAML file or the flags, checked. See
// docs/configuration.md, which a test holds against this.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "model/target.hpp"

namespace sluice {

// Where in the file a setting stands; line 0 where it came from the command line.
struct Place {
    std::string file;
    int line = 0;
    int column = 0;
    [[nodiscard]] std::string to_string() const;  // "sluice.yaml:12:5", or the flag's name
};

struct StartPolicy {
    enum class Kind : std::uint8_t { earliest, latest, error, time } kind = Kind::earliest;
    std::int64_t time_ms = 0;  // Kind::time: since 1970.
    std::string spelling = "earliest";
    bool given = false;  // Said by the user, not the default.
};

// A password and how the file spells it ("${PGPASSWORD}"), for --print-config; the spelling is
// empty where the password itself stands in the file or the flag.
struct Password {
    Secret secret;
    std::string spelling;
};

struct KafkaConfig {
    std::vector<std::string> brokers;
    StartPolicy start;
    std::vector<std::pair<std::string, std::string>> properties;
    // As `properties`: how the file spells each value that came from outside, else empty.
    std::vector<std::string> property_spellings;
    Place place;
};

struct PostgresConfig {
    std::string url;  // postgresql://…, without a password: it has moved to `password`.
    std::optional<std::string> user;
    std::optional<Password> password;
    int pool = 1;                   // Connections, 1 to 64.
    std::string schema = "sluice";  // Where the offsets table lives.
    std::optional<int> rows_per_s_max;
    Place place;
};

struct CassandraConfig {
    std::vector<std::string> hosts;  // host:port
    std::optional<std::string> local_dc;
    std::string keyspace;
    std::string consistency = "local_quorum";
    std::optional<std::string> username;
    std::optional<Password> password;
    std::optional<int> rows_per_s_max;
    Place place;
};

// Where metrics and readiness are told.
struct HttpConfig {
    std::string listen;  // An IP address and a port: "127.0.0.1:9464", "[::1]:9464".
};

// A target and where its parts stand in the file, for errors found against the real table.
struct TargetConfig {
    Target target;                      // Its table may be made of something: see TableTemplate.
    std::vector<std::string> tables{};  // The values of the field that such a name has.
    Place place;
    std::vector<Place> column_places;  // As target.columns.
};

struct RouteConfig {
    std::vector<std::string> topics;
    std::string topic_pattern{};  // In place of topics: see TopicPattern.
    Format key_format = Format::string;
    Format value_format = Format::json;
    DuplicateNames duplicate_names = DuplicateNames::refused;
    std::vector<TargetConfig> postgres;  // Empty: the route does not feed PostgreSQL.
    std::vector<TargetConfig> cassandra;
    Place place;
};

// What becomes of records that their tables can't take; without a table they stop their partition.
struct DeadLettersConfig {
    // At most one of both. Neither: a bad record stops its partition.
    std::string table;  // In each lane's own database; as a route's tables are named.
    std::string topic;
    Place place;
};

struct Config {
    std::string pipeline;
    // A name of this process's own in the consumer groups; nothing: a new member at each start.
    std::optional<std::string> instance;
    KafkaConfig kafka;
    std::optional<PostgresConfig> postgres;
    std::optional<CassandraConfig> cassandra;
    DeadLettersConfig dead_letters;
    std::vector<RouteConfig> routes;
    std::optional<HttpConfig> http;  // Nothing: no port is opened.
    std::int64_t start_timeout_ms = 30'000;
    std::int64_t drain_timeout_ms = 25'000;  // Under the 30 s that service managers wait.
    std::int64_t memory = 256 << 20;         // Bytes, of the whole process.
};

// What the checks need from outside; a test gives its own.
struct ConfigChecks {
    // The value of an environment variable, or nothing where it is not set.
    std::function<std::optional<std::string>(const std::string&)> environment;
    // As kafka::refused_property and kafka::check_property.
    std::function<std::optional<std::string>(std::string_view)> refused_property;
    std::function<Result<void>(const std::string&, const std::string&)> check_property;
};
// This process's environment, and librdkafka.
ConfigChecks real_checks();

using ConfigResult = tl::expected<Config, std::vector<Error>>;

// Reads and checks a file. Fails with every problem found, each with its place, in the order of
// the file; where it is not even YAML, with that alone.
ConfigResult load_config(const std::string& file);
ConfigResult load_config(const std::string& file, const ConfigChecks& checks);
// The same for text that is already read; `file` is for the places.
ConfigResult parse_config(std::string_view text, const std::string& file,
                          const ConfigChecks& checks);

// The YAML that means `config`. A password appears as it was spelled, and by the name of a
// variable where that would show it.
std::string print_config(const Config& config);

}  // namespace sluice
