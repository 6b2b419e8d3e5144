// Goal: what others can bring is bounded: bytes, time, connections that say nothing.
#include "http/server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "http/socket.hpp"

namespace sluice::http {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

sockaddr_in local(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// One that was free a moment ago.
std::uint16_t free_port() {
    const Descriptor probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = local(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    return ntohs(address.sin_port);
}

class HttpServer : public testing::Test {
protected:
    void start(Patience patience) {
        port_ = free_port();
        auto server = Server::listen(
            "127.0.0.1:" + std::to_string(port_),
            [](std::string_view path) { return Response{.body = "at " + std::string(path)}; },
            patience);
        ASSERT_TRUE(server) << server.error().message();
        server_ = std::move(*server);
    }
    void TearDown() override {
        if (server_) {
            server_->close();
        }
    }
    [[nodiscard]] Descriptor connect() const {
        Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto address = local(port_);
        EXPECT_EQ(
            ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
            0);
        return socket;
    }
    // All that comes until the server closes, ten seconds at most.
    static std::string rest(const Descriptor& socket) {
        std::string all;
        const auto until = Deadline::in(10s);
        std::array<char, 4096> part{};
        while (wait_for(socket.get(), POLLIN, -1, until)) {
            const auto got = ::recv(socket.get(), part.data(), part.size(), 0);
            if (got <= 0) {
                return all;
            }
            all.append(part.data(), static_cast<std::size_t>(got));
        }
        ADD_FAILURE() << "the server does not close";
        return all;
    }
    [[nodiscard]] std::string ask(const std::string& request) const {
        const auto socket = connect();
        (void)::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
        return rest(socket);
    }

    std::uint16_t port_ = 0;
    std::unique_ptr<Server> server_;
};

const std::string get = "GET /page HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(HttpServer, AnswersGetAndNothingElse) {
    start({});
    const auto page = ask(get);
    EXPECT_TRUE(page.starts_with("HTTP/1.1 200 ")) << page;
    EXPECT_TRUE(page.ends_with("\r\n\r\nat /page")) << page;
    for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
        const auto refused = ask(method +
                                 " /page HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
        EXPECT_TRUE(refused.starts_with("HTTP/1.1 405 ")) << method << refused;
        EXPECT_NE(refused.find("Allow: GET"), std::string::npos) << refused;
    }
}

TEST_F(HttpServer, TakesEightKibibytesOfRequest) {
    start({});
    const auto with_header = [](std::size_t size) {
        return "GET /page HTTP/1.1\r\nHost: h\r\nX: " + std::string(size, 'x') + "\r\n\r\n";
    };
    EXPECT_TRUE(ask(with_header(7000)).starts_with("HTTP/1.1 200 "));
    EXPECT_FALSE(ask(with_header(9000)).starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE(ask(get).starts_with("HTTP/1.1 200 ")) << "it goes on";
}

// std::regex recurses over them, on a stack that the environment could make small.
TEST_F(HttpServer, ALongRangeIsRefusedWhateverTheStackLimitIs) {
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_STACK, &before), 0);
    const rlimit small{.rlim_cur = 128u << 10, .rlim_max = before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_STACK, &small), 0);
    start({});
    ASSERT_EQ(setrlimit(RLIMIT_STACK, &before), 0);
    for (const auto* part : {"1", "0-1,"}) {
        std::string range;
        while (range.size() < 7900) {
            range += part;
        }
        const auto answer = ask("GET /page HTTP/1.1\r\nHost: h\r\nRange: bytes=" + range +
                                "5-6\r\n\r\n");
        EXPECT_FALSE(answer.starts_with("HTTP/1.1 200 ")) << answer;
    }
    EXPECT_TRUE(ask(get).starts_with("HTTP/1.1 200 ")) << "it goes on";
}

TEST_F(HttpServer, SilentConnectionsDelayOthersByTheWaitForAFirstByteAlone) {
    start({.first_byte = 300ms, .request = 20s});
    std::vector<Descriptor> silent;
    for (int i = 0; i < 8; ++i) {
        silent.push_back(connect());
    }
    const auto began = Clock::now();
    EXPECT_TRUE(ask(get).starts_with("HTTP/1.1 200 "));
    const auto took = Clock::now() - began;
    EXPECT_GE(took, 500ms) << "eight of them keep four threads for two turns";
    EXPECT_LT(took, 5s);
}

TEST_F(HttpServer, ARequestThatComesByteByByteHasATime) {
    start({.first_byte = 10s, .request = 400ms});
    const auto socket = connect();
    const auto began = Clock::now();
    bool open = true;
    while (open && Clock::now() - began < 10s) {
        open = ::send(socket.get(), "G", 1, MSG_NOSIGNAL) == 1 &&
               !wait_for(socket.get(), POLLIN, -1, Deadline::in(20ms));
    }
    const auto took = Clock::now() - began;
    EXPECT_GE(took, 350ms);
    EXPECT_LT(took, 5s);
}

TEST_F(HttpServer, EndsAtOnceWithConnectionsOpen) {
    start({.first_byte = 20s, .request = 20s});
    const auto silent = connect();
    const auto began = Clock::now();
    server_->close();
    server_.reset();
    EXPECT_LT(Clock::now() - began, 5s);
}

TEST_F(HttpServer, APortThatIsTakenIsSaid) {
    start({});
    const auto second = Server::listen("127.0.0.1:" + std::to_string(port_),
                                       [](std::string_view) { return Response{}; });
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().action, Action::configure);
    EXPECT_NE(second.error().message().find("another process has this port"), std::string::npos);
}

}  // namespace
}  // namespace sluice::http
