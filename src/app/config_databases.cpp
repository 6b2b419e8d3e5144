#include <algorithm>
#include <array>

#include "app/address.hpp"
#include "app/config_sections.hpp"
#include "app/interpolate.hpp"
#include "sinks/cassandra/definition.hpp"
#include "sinks/postgres/definition.hpp"

namespace sluice {
namespace {

// A file may be written anew while we run: it is read at each login.
std::optional<std::string> in_file_now(const std::string& spelling) {
    const auto now = interpolate(spelling, [](const std::string&) { return std::nullopt; });
    // Empty for a moment, where it is not replaced but written over.
    return now && !now->text.empty() ? std::optional(now->text) : std::nullopt;
}

Password make_password(const Text& text) {
    if (!is_bare_reference(text.spelling)) {
        return {Secret(text.value), {}};
    }
    Secret::Source source;
    if (text.spelling.starts_with("${file:")) {
        source = [spelling = text.spelling] { return in_file_now(spelling); };
    }
    return {Secret(text.value, std::move(source)), text.spelling};
}

std::optional<std::string> optional_text(const YamlMap& map, std::string_view name) {
    const auto* reader = map.find(name);
    const auto text = reader != nullptr ? reader->text_not_empty() : std::nullopt;
    return text ? std::optional(text->value) : std::nullopt;
}

// The setting, or else the first of these variables that is set. A reference may come out empty
// ("${PGPASSWORD:-}"): then there is no password.
std::optional<Password> read_password(const YamlMap& map,
                                      std::initializer_list<std::string_view> variables) {
    if (const auto* reader = map.find("password")) {
        const auto text = reader->text();
        if (text && text->value.empty() && !text->references) {
            reader->problem("'" + reader->path() + "' is empty", "give it a value, or remove it");
        }
        return text ? std::optional(make_password(*text)) : std::nullopt;
    }
    for (const auto variable : variables) {
        auto value = map.self().context().environment(std::string(variable));
        if (value && !value->empty()) {
            return Password{Secret(*std::move(value)), "${" + std::string(variable) + "}"};
        }
    }
    return std::nullopt;
}

void read_url(const YamlReader& reader, const YamlMap& map, PostgresConfig& postgres) {
    const auto text = reader.text_not_empty();
    if (!text) {
        return;
    }
    auto url = parse_postgres_url(text->value);
    if (!url) {
        Error error = std::move(url).error();
        error.detail = "'" + reader.path() + "': " + error.detail;
        reader.context().problems.add(reader.place(), std::move(error));
        return;
    }
    postgres.url = std::move(url->url);
    if (url->has_user && map.find("user") != nullptr) {
        map.find("user")->problem("'postgres.user' and the user in 'postgres.url': which one?",
                                  "keep one of them");
    }
    if (!url->password) {
        return;
    }
    if (map.find("password") != nullptr) {
        map.find("password")
            ->problem("'postgres.password' and the password in 'postgres.url': which one?",
                      "take the one in the URL out");
    }
    // As in libpq, the URL's comes before PGPASSWORD.
    postgres.password = Password{Secret(*std::move(url->password)), {}};
}

void read_schema(const YamlReader& reader, PostgresConfig& postgres) {
    const auto text = reader.text_not_empty();
    if (!text) {
        return;
    }
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    const auto& name = text->value;
    const bool good = letter(name.front()) && name.size() <= postgres::name_bytes_max &&
                      !name.starts_with("pg_") && std::ranges::all_of(name, [&](char c) {
                          return letter(c) || (c >= '0' && c <= '9');
                      });
    if (!good) {
        reader.problem("'" + reader.path() + "' is " + text->shown(),
                       "allowed: lower-case letters, digits and _, not beginning with a digit or "
                       "pg_, at most 63 bytes");
        return;
    }
    postgres.schema = name;
}

std::optional<int> read_rate(const YamlMap& map) {
    const auto* reader = map.find("rows_per_s_max");
    return reader != nullptr ? reader->integer(1, 100'000'000) : std::nullopt;
}

void read_consistency(const YamlReader& reader, CassandraConfig& cassandra) {
    const auto text = reader.text();
    if (text && text->value == "any") {
        reader.problem("'" + reader.path() +
                           "' is 'any', which is not safe: a write that no "
                           "replica holds yet would count as done",
                       allowed_names("", settings::consistencies));
        return;
    }
    if (const auto index = text ? reader.choice(settings::consistencies) : std::nullopt) {
        cassandra.consistency = settings::consistencies[*index];
    }
}

void read_keyspace(const YamlReader& reader, CassandraConfig& cassandra) {
    const auto text = reader.text_not_empty();
    if (!text) {
        return;
    }
    if (const auto wrong = cassandra::refused_name(text->value)) {
        reader.problem("'" + reader.path() + "' is " + text->shown(), *wrong);
        return;
    }
    cassandra.keyspace = text->value;
}

void check_login(const YamlMap& map, const CassandraConfig& cassandra) {
    const bool has_password = cassandra.password && !cassandra.password->secret.empty();
    const auto* user = map.find("username");
    if (user != nullptr && map.find("password") == nullptr && !has_password) {
        user->problem("'cassandra.username' without a password",
                      "set the environment variable CASSANDRA_PASSWORD, or say "
                      "`password: ${file:/path}` in a file");
    }
    if (user == nullptr && map.find("password") != nullptr) {
        map.find("password")
            ->problem("'cassandra.password' without 'cassandra.username'", "give both or neither");
    }
}

}  // namespace

PostgresConfig read_postgres(const YamlMap& map) {
    PostgresConfig postgres;
    postgres.place = map.self().place();
    postgres.password = read_password(map, {"PGPASSWORD"});
    postgres.user = optional_text(map, "user");
    if (const auto* reader = map.find("url")) {
        read_url(*reader, map, postgres);
    } else {
        report_missing(map.self(), "url", "url: postgresql://localhost/app",
                       "--postgres postgresql://localhost/app");
    }
    if (const auto* reader = map.find("pool")) {
        postgres.pool = reader->integer(1, 64).value_or(1);
    }
    if (const auto* reader = map.find("schema")) {
        read_schema(*reader, postgres);
    }
    postgres.rows_per_s_max = read_rate(map);
    return postgres;
}

CassandraConfig read_cassandra(const YamlMap& map) {
    CassandraConfig cassandra;
    cassandra.place = map.self().place();
    if (const auto* reader = map.find("hosts")) {
        cassandra.hosts = read_addresses(*reader, 9042);
    } else {
        report_missing(map.self(), "hosts", "hosts: [localhost:9042]",
                       "--cassandra localhost:9042/app");
    }
    if (const auto* reader = map.find("keyspace")) {
        read_keyspace(*reader, cassandra);
    } else {
        report_missing(map.self(), "keyspace", "keyspace: app", "--cassandra localhost:9042/app");
    }
    cassandra.local_dc = optional_text(map, "local_dc");
    if (const auto* reader = map.find("consistency")) {
        read_consistency(*reader, cassandra);
    }
    cassandra.username = optional_text(map, "username");
    if (map.find("username") != nullptr || map.find("password") != nullptr) {
        cassandra.password = read_password(map,
                                           {"SLUICE_CASSANDRA_PASSWORD", "CASSANDRA_PASSWORD"});
    }
    cassandra.rows_per_s_max = read_rate(map);
    check_login(map, cassandra);
    return cassandra;
}

}  // namespace sluice
