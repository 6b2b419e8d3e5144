#include "app/line_reader.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t piece_bytes = 1 << 20;
constexpr std::size_t line_bytes_max = 64 << 20;
constexpr int ask_every_ms = 100;

Error file_error(std::string where, std::string detail) {
    return {.action = Action::configure,
            .op = LineReader::op,
            .where = std::move(where),
            .code = {},
            .detail = std::move(detail),
            .hint = {}};
}

}  // namespace

Result<LineReader> LineReader::open(const std::optional<std::string>& file) {
    LineReader reader(file ? ::open(file->c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO,
                      file.value_or("stdin"));
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
      name_(std::move(other.name_)),
      lines_(other.lines_),
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

Error LineReader::error_here(std::string detail) const {
    return file_error(name_ + ":" + std::to_string(lines_ + 1), std::move(detail));
}

Result<LineReader::Filled> LineReader::fill(const std::function<bool()>& go_on) {
    buffer_.erase(0, begin_);
    begin_ = 0;
    const std::size_t held = buffer_.size();
    if (held > line_bytes_max) {
        return fail(error_here("a line is longer than 64 MiB"));
    }
    pollfd input{.fd = descriptor_, .events = POLLIN, .revents = 0};
    while (::poll(&input, 1, ask_every_ms) < 1) {
        if (!go_on()) {
            return Filled::stopped;
        }
    }
    buffer_.resize(held + piece_bytes);
    const ssize_t got = ::read(descriptor_, buffer_.data() + held, piece_bytes);
    buffer_.resize(held + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got < 0 && errno != EINTR) {
        return fail(error_here(std::strerror(errno)));
    }
    bytes_read_ += static_cast<std::uint64_t>(std::max<ssize_t>(got, 0));
    return got == 0 ? Filled::end : Filled::more;
}

Result<std::optional<std::string_view>> LineReader::next(const std::function<bool()>& go_on) {
    std::size_t searched = begin_;
    while (true) {
        const std::size_t line_end = buffer_.find('\n', searched);
        if (line_end == std::string::npos && !end_) {
            const std::size_t held = buffer_.size() - begin_;
            SLUICE_ASSIGN(const Filled filled, fill(go_on));
            if (filled == Filled::stopped) {
                return std::optional<std::string_view>{};
            }
            end_ = filled == Filled::end;
            searched = held;
            continue;
        }
        if (line_end == std::string::npos && begin_ == buffer_.size()) {
            return std::optional<std::string_view>{};
        }
        std::string_view line = std::string_view(buffer_).substr(
            begin_, line_end == std::string::npos ? line_end : line_end - begin_);
        begin_ = line_end == std::string::npos ? buffer_.size() : line_end + 1;
        ++lines_;
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        return std::optional(line);
    }
}

}  // namespace sluice
