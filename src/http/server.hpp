// A small HTTP server for pages that tell of the process. It answers GET, one request a
// connection, and is bounded in everything that others can bring: connections at once, bytes of a
// request, time. The only place with httplib.h.
#pragma once

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

class Server {
public:
    // Binds `address` ("127.0.0.1:9464", "[::1]:9464": an IP address, with its port) and nothing
    // else, and starts to answer. An address that can't be had is Action::configure.
    static Result<std::unique_ptr<Server>> listen(const std::string& address, Handler handler);
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
