// One process of a pipeline on this host for each instance name. Two would push each other out of
// their consumer groups; between hosts Kafka does that, and the older process ends.
#pragma once

#include <string>

#include "base/result.hpp"

namespace sluice {

// Held from take() on until it dies, or its process does, in whatever way: the kernel's lock on
// an open file. The file stays behind, and holds nothing.
class InstanceLock {
public:
    // In `sluice/<pipeline>/<instance>.lock` under XDG_RUNTIME_DIR, or under a folder
    // `sluice-<uid>` of the temporary directory. Folders are made for this user alone; one that
    // is somebody else's, or a symbolic link, is an error. Both names may hold [A-Za-z0-9._-].
    // Waits up to a second for a process that is on its way out.
    static Result<InstanceLock> take(const std::string& pipeline, const std::string& instance);

    InstanceLock(InstanceLock&& other) noexcept;
    InstanceLock(const InstanceLock&) = delete;
    InstanceLock& operator=(const InstanceLock&) = delete;
    InstanceLock& operator=(InstanceLock&&) = delete;
    ~InstanceLock();

private:
    explicit InstanceLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

}  // namespace sluice
