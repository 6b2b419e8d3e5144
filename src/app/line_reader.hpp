// Lines of a file or a pipe, read in big pieces. Memory: one piece and the longest line.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sluice {

class LineReader {
public:
    // Nothing: standard input.
    static Result<LineReader> open(const std::optional<std::string>& file);
    LineReader(LineReader&& other) noexcept;
    LineReader& operator=(LineReader&&) = delete;
    ~LineReader();

    // The next line without its LF or CRLF, good until the next call; nothing at the end, or
    // when a signal interrupted the wait. A line over 64 MiB is an error.
    Result<std::optional<std::string_view>> next();
    [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
    // Of a regular file.
    [[nodiscard]] std::optional<std::uint64_t> size() const { return size_; }

private:
    explicit LineReader(int descriptor) : descriptor_(descriptor) {}
    Result<bool> fill();  // False at the end.

    int descriptor_;
    std::optional<std::uint64_t> size_;
    std::string buffer_;
    std::size_t begin_ = 0;  // Of what has not been given yet.
    bool end_ = false;
    std::uint64_t bytes_read_ = 0;
};

}  // namespace sluice
