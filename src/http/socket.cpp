#include "http/socket.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

namespace sluice::http {
namespace {

// Connections that wait for a thread; the kernel refuses or delays what comes on top.
constexpr int backlog = 16;

tl::unexpected<Error> cannot_listen(const std::string& address, int number) {
    return fail(
        {.action = Action::configure,
         .op = "http.listen",
         .where = {},
         .code = {},
         .detail = "can't listen on " + address + ": " + std::generic_category().message(number),
         .hint = number == EADDRINUSE ? "another process has this port: choose another one "
                                        "(http.listen, or --http)"
                                      : "name an IP address of this machine, and a port "
                                        "that this user may open (http.listen, or --http)"});
}

struct AddressFree {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

}  // namespace

Descriptor::~Descriptor() {
    if (valid()) {
        ::close(number_);
    }
}

Result<Descriptor> listen_on(const std::string& address) {
    const auto colon = address.rfind(':');
    std::string host = address.substr(0, colon);
    if (host.starts_with('[')) {
        host = host.substr(1, host.size() - 2);
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found) != 0) {
        return cannot_listen(address, EINVAL);
    }
    const std::unique_ptr<addrinfo, AddressFree> owned(found);
    Descriptor socket(
        ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, found->ai_protocol));
    const int yes = 1;
    // A port whose last connections still fade can be had again; one that is listened on can't.
    bool ok = socket.valid() &&
              setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0;
    if (ok && found->ai_family == AF_INET6) {
        ok = setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) == 0;
    }
    ok = ok && ::bind(socket.get(), found->ai_addr, found->ai_addrlen) == 0 &&
         ::listen(socket.get(), backlog) == 0;
    if (!ok) {
        return cannot_listen(address, errno);
    }
    return socket;
}

bool wait_for(int socket, short events, int stop, Deadline deadline) {
    std::array<pollfd, 2> watched{{{socket, events, 0}, {stop, POLLIN, 0}}};
    do {
        const int ready = ::poll(watched.data(), watched.size(), deadline.left_ms());
        if (ready > 0) {
            return watched[1].revents == 0;
        }
        if (ready < 0 && errno != EINTR) {
            return false;
        }
    } while (!deadline.passed());
    return false;
}

}  // namespace sluice::http
