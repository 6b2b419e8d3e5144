// Lines of a file or a pipe, read in big pieces. Memory: one piece and the longest line.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace sluice {

class LineReader {
public:
    static constexpr const char* op = "produce.read";  // Of its errors.

    // Nothing: standard input.
    static Result<LineReader> open(const std::optional<std::string>& file);
    LineReader(LineReader&& other) noexcept;
    LineReader& operator=(LineReader&&) = delete;
    ~LineReader();

    // The next line without its LF or CRLF, good until the next call; nothing at the end, or when
    // `go_on`, which is asked every 100 ms while there is nothing to read, said no (a line that
    // was begun is then not given). A line over 64 MiB is an error.
    Result<std::optional<std::string_view>> next(const std::function<bool()>& go_on);
    // Of the lines given so far.
    [[nodiscard]] std::uint64_t bytes_given() const {
        return bytes_read_ - (buffer_.size() - begin_);
    }
    // Of a regular file.
    [[nodiscard]] std::optional<std::uint64_t> size() const { return size_; }

private:
    enum class Filled : std::uint8_t { more, end, stopped };

    LineReader(int descriptor, std::string name)
        : descriptor_(descriptor), name_(std::move(name)) {}
    Result<Filled> fill(const std::function<bool()>& go_on);
    [[nodiscard]] Error error_here(std::string detail) const;

    int descriptor_;
    std::string name_;  // For messages.
    std::uint64_t lines_ = 0;
    std::optional<std::uint64_t> size_;
    std::string buffer_;
    std::size_t begin_ = 0;  // Of what has not been given yet.
    bool end_ = false;
    std::uint64_t bytes_read_ = 0;
};

}  // namespace sluice
