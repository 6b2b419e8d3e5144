#include "app/instance_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/deadline.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

// A killed process is gone a moment after the kill: its memory is freed first.
constexpr auto held_wait = 1s;
constexpr auto held_again = 20ms;
constexpr const char* elsewhere =
    "set XDG_RUNTIME_DIR to a folder that this user owns and can write";

// An open file or folder.
class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }
    [[nodiscard]] int get() const { return number_; }
    int release() { return std::exchange(number_, -1); }

private:
    int number_;
};

tl::unexpected<Error> refuse(const std::string& path, std::string detail, std::string hint) {
    return fail({.action = Action::configure,
                 .op = "instance.lock",
                 .where = path,
                 .code = {},
                 .detail = std::move(detail),
                 .hint = std::move(hint)});
}

tl::unexpected<Error> refuse_errno(const std::string& path, int code) {
    return refuse(path, std::generic_category().message(code), elsewhere);
}

struct Base {
    std::string path;
    std::string folder;  // Ours, in it.
};

// XDG_RUNTIME_DIR, unless it is another user's (as after `sudo`) or gone.
Base base_folder() {
    // Nothing in this program sets a variable.
    const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
    struct stat found {};
    if (runtime != nullptr && *runtime == '/' && ::stat(runtime, &found) == 0 &&
        S_ISDIR(found.st_mode) && found.st_uid == ::geteuid()) {
        return {runtime, "sluice"};
    }
    std::error_code ignored;
    const auto temporary = std::filesystem::temp_directory_path(ignored);
    return {temporary.empty() ? "/tmp" : temporary.string(),
            "sluice-" + std::to_string(::geteuid())};
}

// A folder in another, made where it is missing, that nobody else can change.
Result<Descriptor> open_own_folder(const Descriptor& parent, const std::string& name,
                                   const std::string& path) {
    if (::mkdirat(parent.get(), name.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
        return refuse_errno(path, errno);
    }
    Descriptor folder(
        ::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (folder.get() < 0) {
        return errno == ENOTDIR || errno == ELOOP
                   ? refuse(path, "is a symbolic link or a file, where a folder is expected",
                            "remove it")
                   : refuse_errno(path, errno);
    }
    struct stat found {};
    if (::fstat(folder.get(), &found) != 0) {
        return refuse_errno(path, errno);
    }
    if (found.st_uid != ::geteuid()) {
        return refuse(path, "the folder belongs to another user", elsewhere);
    }
    if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return refuse(path, "other users have rights on the folder", "chmod 700 " + path);
    }
    return folder;
}

std::optional<pid_t> read_holder(int file) {
    std::array<char, 24> text{};
    const auto size = ::pread(file, text.data(), text.size() - 1, 0);
    const long pid = size > 0 ? std::strtol(text.data(), nullptr, 10) : 0;
    return pid > 0 ? std::optional<pid_t>(static_cast<pid_t>(pid)) : std::nullopt;
}

}  // namespace

Result<InstanceLock> InstanceLock::take(const std::string& pipeline, const std::string& instance) {
    const Base base = base_folder();
    const Descriptor root(::open(base.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (root.get() < 0) {
        return refuse_errno(base.path, errno);
    }
    std::string path = base.path + "/" + base.folder;
    SLUICE_ASSIGN(const auto ours, open_own_folder(root, base.folder, path));
    path += "/" + pipeline;
    SLUICE_ASSIGN(const auto folder, open_own_folder(ours, pipeline, path));
    const std::string name = instance + ".lock";
    path += "/" + name;
    Descriptor file(::openat(folder.get(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                             S_IRUSR | S_IWUSR));
    if (file.get() < 0) {
        return refuse_errno(path, errno);
    }
    const auto deadline = Deadline::in(held_wait);
    while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return refuse_errno(path, errno);
        }
        if (deadline.passed()) {
            const auto holder = read_holder(file.get());
            return refuse(path,
                          "instance '" + instance + "' of pipeline '" + pipeline +
                              "' runs already on this host" +
                              (holder ? ": process " + std::to_string(*holder) : ""),
                          "give each process a name of its own (`instance`), or stop that one");
        }
        std::this_thread::sleep_for(held_again);
    }
    // For whoever comes second; the lock holds without it.
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file.get(), 0) != 0 ||
        ::pwrite(file.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
        return refuse_errno(path, errno);
    }
    return InstanceLock(file.release());
}

InstanceLock::InstanceLock(InstanceLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

InstanceLock::~InstanceLock() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

}  // namespace sluice
