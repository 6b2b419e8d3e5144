#include "map/unsent.hpp"

#include <algorithm>

#include "base/base64.hpp"

namespace sluice {

UnsentValues::UnsentValues(const std::string& text) {
    std::string numbers;
    for (const char c : text) {
        numbers += (numbers.empty() ? "" : ",") + std::to_string(static_cast<signed char>(c));
    }
    const std::string quoted = '"' + text + '"';
    as_json_ = {quoted, '"' + encode_base64(text) + '"', '[' + quoted + ']', '[' + numbers + ']',
                '{' + quoted + ':' + quoted + '}'};
}

bool UnsentValues::contain(const Cell& cell) const {
    return (cell.kind == CellKind::string || cell.kind == CellKind::json) &&
           std::ranges::find(as_json_, cell.raw) != as_json_.end();
}

}  // namespace sluice
