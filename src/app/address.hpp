// Addresses as people write them, brought into one form. Pure; no look-up. Errors carry no place
// and never quote the text: it may hold a password.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sluice {

// "host", "host:9092", "10.0.0.1:9092", "[::1]:9092" → with the port; `port_default` where the
// text has none.
Result<std::string> parse_host_port(std::string_view text, int port_default);

// Where to listen: an IP address, so that it is one and the one that is written; "localhost" is
// 127.0.0.1. With the port, as above.
Result<std::string> parse_listen_address(std::string_view text, int port_default);

// The decimal port, or nothing.
std::optional<int> parse_port(std::string_view text);

// What --cassandra says: [user[:password]@]host[:port][,host[:port]…]/keyspace
struct CassandraAddress {
    std::string hosts;  // With commas, not checked yet.
    std::string keyspace;
    std::optional<std::string> user;
    std::optional<std::string> password;
};
Result<CassandraAddress> parse_cassandra_address(std::string_view text);

// A PostgreSQL URL, without what must not stand in it.
struct PostgresUrl {
    std::string url;  // postgresql://…
    bool has_user = false;
    std::optional<std::string> password;  // Decoded.
};
// Takes libpq's postgresql:// and postgres://, and pgjdbc's jdbc:postgresql:// with its own
// parameters translated. Unknown parameters are refused by name.
Result<PostgresUrl> parse_postgres_url(std::string_view text);

}  // namespace sluice
