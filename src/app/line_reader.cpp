#include "app/line_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t piece_bytes = 1 << 20;
constexpr std::size_t line_bytes_max = 64 << 20;

Error file_error(std::string where, std::string detail) {
    return {.action = Action::configure,
            .op = "produce.read",
            .where = std::move(where),
            .code = {},
            .detail = std::move(detail),
            .hint = {}};
}

}  // namespace

Result<LineReader> LineReader::open(const std::optional<std::string>& file) {
    LineReader reader(file ? ::open(file->c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO);
    if (reader.descriptor_ < 0) {
        return fail(file_error(*file, std::strerror(errno)));
    }
    struct stat status {};
    if (::fstat(reader.descriptor_, &status) == 0 && S_ISREG(status.st_mode)) {
        reader.size_ = static_cast<std::uint64_t>(status.st_size);
    }
    return reader;
}

LineReader::LineReader(LineReader&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      buffer_(std::move(other.buffer_)),
      begin_(other.begin_),
      end_(other.end_),
      bytes_read_(other.bytes_read_) {}

LineReader::~LineReader() {
    if (descriptor_ > STDIN_FILENO) {
        ::close(descriptor_);
    }
}

Result<bool> LineReader::fill() {
    buffer_.erase(0, begin_);
    begin_ = 0;
    const std::size_t held = buffer_.size();
    if (held > line_bytes_max) {
        return fail(file_error({}, "a line is longer than 64 MiB"));
    }
    buffer_.resize(held + piece_bytes);
    const ssize_t got = ::read(descriptor_, buffer_.data() + held, piece_bytes);
    buffer_.resize(held + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got < 0 && errno != EINTR) {
        return fail(file_error({}, std::strerror(errno)));
    }
    if (got <= 0) {
        return false;
    }
    bytes_read_ += static_cast<std::uint64_t>(got);
    return true;
}

Result<std::optional<std::string_view>> LineReader::next() {
    std::size_t searched = begin_;
    while (true) {
        const std::size_t line_end = buffer_.find('\n', searched);
        if (line_end == std::string::npos && !end_) {
            const std::size_t held = buffer_.size() - begin_;
            SLUICE_ASSIGN(const bool more, fill());
            end_ = !more;
            searched = held;
            continue;
        }
        if (line_end == std::string::npos && begin_ == buffer_.size()) {
            return std::optional<std::string_view>{};
        }
        std::string_view line = std::string_view(buffer_).substr(
            begin_, line_end == std::string::npos ? line_end : line_end - begin_);
        begin_ = line_end == std::string::npos ? buffer_.size() : line_end + 1;
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        return std::optional(line);
    }
}

}  // namespace sluice
