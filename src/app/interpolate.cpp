#include "app/interpolate.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "app/settings.hpp"

namespace sluice {
namespace {

constexpr std::string_view allowed =
    "allowed: ${VAR}, ${VAR:-default}, ${file:/path}, and $${ for a literal ${";

bool is_variable_name(std::string_view name) {
    const auto letter = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    };
    return !name.empty() && letter(name.front()) &&
           std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

class FileHandle {
public:
    explicit FileHandle(int descriptor) : descriptor_(descriptor) {}
    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;
    ~FileHandle() {
        if (descriptor_ >= 0) {
            (void)::close(descriptor_);
        }
    }
    [[nodiscard]] int get() const { return descriptor_; }

private:
    int descriptor_;
};

std::string_view kind_of(mode_t mode) {
    if (S_ISDIR(mode)) {
        return "is a directory";
    }
    return S_ISFIFO(mode) ? "is a pipe" : "is not a regular file";
}

Result<std::string> from_file(std::string_view path) {
    if (!path.starts_with('/')) {
        return bad_setting("${file:…} needs an absolute path", "write ${file:/run/secrets/NAME}");
    }
    const std::string name(path);
    auto content = read_small_file(name, reference_file_bytes_max);
    if (!content) {
        return bad_setting("the file of ${file:" + name + "} " + content.error().detail,
                           content.error().hint);
    }
    if (content->find('\0') != std::string::npos) {
        return bad_setting("the file of ${file:" + name + "} holds a NUL byte", "it must be text");
    }
    if (content->ends_with('\n')) {
        content->pop_back();
        if (content->ends_with('\r')) {
            content->pop_back();
        }
    }
    return content;
}

// `body` is what stands between the braces.
Result<std::string> resolve(std::string_view body, const Environment& environment) {
    if (body.starts_with("file:")) {
        return from_file(body.substr(5));
    }
    const auto colon = body.find(":-");
    const std::string name(body.substr(0, colon));
    if (!is_variable_name(name)) {
        return bad_setting("a reference ${…} that names no variable", std::string(allowed));
    }
    auto value = environment(name);
    if (colon != std::string_view::npos && (!value || value->empty())) {
        return std::string(body.substr(colon + 2));
    }
    if (!value) {
        return bad_setting("the environment variable " + name + " is not set",
                           "set it, or write ${" + name + ":-default}");
    }
    return *std::move(value);
}

}  // namespace

Result<Interpolated> interpolate(std::string_view raw, const Environment& environment) {
    Interpolated out;
    while (!raw.empty()) {
        const auto dollar = std::min(raw.find('$'), raw.size());
        out.text.append(raw.substr(0, dollar));
        raw.remove_prefix(dollar);
        if (raw.starts_with("$${")) {
            out.text.append("${");
            raw.remove_prefix(3);
        } else if (raw.starts_with("${")) {
            const auto end = raw.find('}');
            if (end == std::string_view::npos) {
                return bad_setting("a ${ without its }", std::string(allowed));
            }
            const auto body = raw.substr(2, end - 2);
            if (body.find("${") != std::string_view::npos) {
                return bad_setting("a reference ${…} inside another", std::string(allowed));
            }
            SLUICE_ASSIGN(const std::string value, resolve(body, environment));
            out.text.append(value);
            out.references = true;
            raw.remove_prefix(end + 1);
        } else if (!raw.empty()) {
            out.text.push_back('$');
            raw.remove_prefix(1);
        }
    }
    return out;
}

bool is_bare_reference(std::string_view raw) {
    if (!raw.starts_with("${") || raw.find('}') != raw.size() - 1) {
        return false;
    }
    auto body = raw.substr(2, raw.size() - 3);
    if (body.starts_with("file:")) {
        return true;
    }
    if (body.ends_with(":-")) {
        body.remove_suffix(2);
    }
    return is_variable_name(body);
}

std::string escape_references(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.substr(i).starts_with("${")) {
            out.push_back('$');
        }
        out.push_back(text[i]);
    }
    return out;
}

Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max) {
    // O_NONBLOCK: opening a pipe without a writer would wait for ever.
    const FileHandle file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    struct stat info {};
    if (file.get() < 0 || ::fstat(file.get(), &info) != 0) {
        return bad_setting(std::string("can't be read: ") + std::strerror(errno),
                           "check the path and its permissions");
    }
    if (!S_ISREG(info.st_mode)) {
        return bad_setting(std::string(kind_of(info.st_mode)), "it must be a regular file");
    }
    std::string content;
    char buffer[4096];
    while (content.size() <= bytes_max) {
        const auto got = ::read(file.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return bad_setting(std::string("can't be read: ") + std::strerror(errno), {});
        }
        if (got == 0) {
            return content;
        }
        content.append(buffer, static_cast<std::size_t>(got));
    }
    return bad_setting("is larger than " + std::to_string(bytes_max >> 10) + " KiB",
                       "is this the right file?");
}

}  // namespace sluice
