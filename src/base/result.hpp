// A value or an Error. Exceptions of libraries are caught at their wrapper and never cross it.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "base/error.hpp"

namespace sluice {

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace sluice

// Returns the error of `expr` from the enclosing function, if it has one.
#define SLUICE_TRY(expr)                                            \
    do {                                                            \
        if (auto try_result_ = (expr); !try_result_) [[unlikely]] { \
            return ::sluice::fail(std::move(try_result_).error());  \
        }                                                           \
    } while (false)

#define SLUICE_CONCAT_(a, b) a##b
#define SLUICE_CONCAT(a, b) SLUICE_CONCAT_(a, b)

// `SLUICE_ASSIGN(auto x, f());` declares x from f()'s value, or returns its error.
#define SLUICE_ASSIGN(lhs, expr) SLUICE_ASSIGN_(lhs, expr, SLUICE_CONCAT(assign_, __LINE__))
#define SLUICE_ASSIGN_(lhs, expr, name)                 \
    auto name = (expr);                                 \
    if (!name) [[unlikely]] {                           \
        return ::sluice::fail(std::move(name).error()); \
    }                                                   \
    lhs = *std::move(name)
