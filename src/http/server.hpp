// A small HTTP server for pages that tell of the process. It answers GET, one request a
// connection, and is bounded in everything that others can bring: connections at once, bytes of a
// request, time. The only place with httplib.h.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sluice::http {

struct Response {
    int status = 200;
    std::string body;
    std::string content_type = "text/plain; charset=utf-8";
};

// `path` without the query. Called from several threads at once; must not wait.
using Handler = std::function<Response(std::string_view path)>;

// What one connection may take.
struct Patience {
    // To its first byte. Who connects to ask does so at once; a few that say nothing must not keep
    // the threads from the others for long.
    std::chrono::milliseconds first_byte{500};
    std::chrono::milliseconds request{5000};  // From the connection to the last byte of the answer.
};

class Server {
public:
    // Binds `address` ("127.0.0.1:9464", "[::1]:9464": an IP address, with its port) and nothing
    // else, and starts to answer. An address or threads that can't be had are Action::configure.
    static Result<std::unique_ptr<Server>> listen(const std::string& address, Handler handler,
                                                  const Patience& patience = {});
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();  // After close().

    // Ends answers that are under way and all threads: at once, but for what a handler takes.
    void close();

private:
    struct Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::http
