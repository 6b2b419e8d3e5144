// Sockets and what wakes who waits for them, owned. Private to src/http.
#pragma once

#include <string>
#include <utility>

#include "base/deadline.hpp"
#include "base/result.hpp"

namespace sluice::http {

class Descriptor {
public:
    explicit Descriptor(int number = -1) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor();
    [[nodiscard]] int get() const { return number_; }
    [[nodiscard]] bool valid() const { return number_ >= 0; }

private:
    int number_;
};

// A listening socket, non-blocking, on an IP address with its port.
Result<Descriptor> listen_on(const std::string& address);

// Until `socket` is ready for `events` (as for poll(2)): true. At the deadline, or as soon as
// `stop` is readable: false.
bool wait_for(int socket, short events, int stop, Deadline deadline);

}  // namespace sluice::http
