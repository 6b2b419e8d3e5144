#include "base/error.hpp"

namespace sluice {

std::string Error::message() const {
    std::string out;
    if (!where.empty()) {
        out.append(where).append(": ");
    }
    out.append(detail);
    if (!op.empty() || !code.empty()) {
        out.append(" (").append(op);
        if (!op.empty() && !code.empty()) {
            out.append(", ");
        }
        out.append(code).append(")");
    }
    if (!hint.empty()) {
        out.append("; ").append(hint);
    }
    return out;
}

}  // namespace sluice
