// The configuration's ties to this process and to librdkafka, apart from the rest so that tests
// of the rest need neither.
#include <cstdlib>

#include "app/config.hpp"
#include "kafka/client.hpp"

namespace sluice {

ConfigChecks real_checks() {
    return {.environment = [](const std::string& name) -> std::optional<std::string> {
                // Before any thread starts; nothing in this program sets a variable.
                const char* value = std::getenv(name.c_str());
                return value == nullptr ? std::nullopt : std::optional<std::string>(value);
            },
            .refused_property = kafka::refused_property,
            .check_property = kafka::check_property};
}

ConfigResult load_config(const std::string& file) { return load_config(file, real_checks()); }

}  // namespace sluice
