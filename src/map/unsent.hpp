// Values that the source of a change did not send because they are unchanged.
#pragma once

#include <string>
#include <vector>

#include "model/cell.hpp"

namespace sluice {

// One per thread.
class UnsentValues {
public:
    // `text` stands in their place, or a list of its bytes, and so on: UnchangedToastedPlaceholder
    // in Debezium's connector for PostgreSQL.
    explicit UnsentValues(const std::string& text);
    [[nodiscard]] bool contain(const Cell& cell) const;

private:
    std::vector<std::string> as_json_;
};

}  // namespace sluice
