#include "app/version.hpp"

#include <simdjson.h>

#include "kafka/client.hpp"
#include "sinks/cassandra/session.hpp"
#include "sinks/postgres/connection.hpp"

namespace sluice {

std::string version_text() {
    return "sluice " SLUICE_VERSION "\n" + kafka::library_version() + "\n" +
           postgres::library_version() + "\n" + cassandra::library_version() +
           "\nsimdjson " SIMDJSON_STRINGIFY(SIMDJSON_VERSION) "\n";
}

}  // namespace sluice
