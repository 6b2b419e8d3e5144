// libpq's handles and errors, for connection.cpp alone: the one header here that shows libpq-fe.h.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sinks/postgres/connection.hpp"

namespace sluice::postgres {

struct CloseConnection {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
using ConnectionHandle = std::unique_ptr<PGconn, CloseConnection>;

struct ClearResult {
    void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;

struct FreeConninfo {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using ConninfoHandle = std::unique_ptr<PQconninfoOption, FreeConninfo>;

// One of the servers that a URL names; what is empty, libpq finds by itself.
struct Server {
    std::string host;
    std::string hostaddr;
    std::string port;
};
struct Servers {
    std::vector<Server> list;                      // At least one.
    std::chrono::milliseconds connect_timeout{0};  // For each; zero where the URL has none.
};
// Never fails: what is wrong with a URL, the attempt to connect says better.
Servers servers_of(const std::string& url);

// libpq puts several sentences on several lines, and says one again for each attempt it made.
std::string one_line(std::string_view text);
// The connection is gone, or never came.
Failure lost(std::string_view op, std::string detail);
// An error that the server sent; values that its texts may quote are left out.
Failure from_result(std::string_view op, const PGresult* result, bool connection_lost);
// A connection attempt that failed.
Failure from_connect(const PGconn* connection);

}  // namespace sluice::postgres
