// What consumer, producer and admin share: configuration of librdkafka and its handles.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "model/ids.hpp"

namespace sluice::kafka {

struct ClientOptions {
    std::vector<std::string> brokers;
    // librdkafka's own settings by their own names; refused_property() says which are not.
    std::vector<std::pair<std::string, std::string>> properties;
};

// Why a user may not set this property (it would break a guarantee, or load code), or nothing.
std::optional<std::string> refused_property(std::string_view name);
// Whether a property's value must be shown nowhere.
bool secret_property(std::string_view name);
// Whether librdkafka knows this property and takes this value.
Result<void> check_property(const std::string& name, const std::string& value);
std::string library_version();  // "librdkafka 2.12.1"

}  // namespace sluice::kafka
