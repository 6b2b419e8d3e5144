#include "http/server.hpp"

#include <httplib.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <exception>
#include <string>
#include <system_error>
#include <vector>

#include "base/check.hpp"
#include "base/deadline.hpp"
#include "http/socket.hpp"

namespace sluice::http {
namespace {

using namespace std::chrono_literals;

constexpr int threads = 4;
// Whatever `ulimit -s` says: httplib reads a Range header by std::regex, which recurses for each of
// its bytes.
constexpr std::size_t stack_bytes = 8u << 20;
// Prometheus and the probes of service managers send less than one.
constexpr std::size_t request_bytes_max = 8u << 10;
// What is still sent of a request that was refused, as a body: read, so that the answer arrives.
constexpr std::size_t ignored_bytes_max = 64u << 10;
constexpr auto ignored_wait = 500ms;
// After accept() failed for want of descriptors or memory.
constexpr auto accept_again = 100ms;

// One connection as httplib reads and writes it. httplib's own stream has no bound for a request's
// bytes, and none for its time as long as single bytes come.
class Connection final : public httplib::Stream {
public:
    Connection(Descriptor socket, int stop, const Patience& patience)
        : socket_(std::move(socket)),
          stop_(stop),
          deadline_(Deadline::in(patience.request)),
          first_(Deadline::in(patience.first_byte)) {}

    using httplib::Stream::write;

    [[nodiscard]] bool is_readable() const override {
        return begin_ < end_ || wait_for(socket_.get(), POLLIN, stop_, due());
    }
    [[nodiscard]] bool is_writable() const override {
        return wait_for(socket_.get(), POLLOUT, stop_, deadline_);
    }
    ssize_t read(char* out, std::size_t size) override {
        if (begin_ == end_ && !fill()) {
            return -1;
        }
        const std::size_t taken = std::min(size, end_ - begin_);
        std::memcpy(out, buffer_.data() + begin_, taken);
        begin_ += taken;
        return static_cast<ssize_t>(taken);
    }
    ssize_t write(const char* data, std::size_t size) override {
        return is_writable() ? ::send(socket_.get(), data, size, MSG_NOSIGNAL) : -1;
    }
    void get_remote_ip_and_port(std::string&, int&) const override {}
    void get_local_ip_and_port(std::string&, int&) const override {}
    // httplib only asks whether it fits select(2), which is not used here.
    [[nodiscard]] socket_t socket() const override { return 0; }

    // A socket that is closed with bytes unread takes its answer back.
    void end() {
        (void)::shutdown(socket_.get(), SHUT_WR);
        const auto until = Deadline::in(ignored_wait).sooner(deadline_);
        std::size_t ignored = 0;
        while (ignored < ignored_bytes_max && wait_for(socket_.get(), POLLIN, stop_, until)) {
            const ssize_t got = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
            if (got <= 0) {
                return;
            }
            ignored += static_cast<std::size_t>(got);
        }
    }

private:
    [[nodiscard]] Deadline due() const { return end_ == 0 ? first_.sooner(deadline_) : deadline_; }

    // All of a request goes through the buffer once: its size is the bound.
    bool fill() {
        if (end_ == buffer_.size() || !wait_for(socket_.get(), POLLIN, stop_, due())) {
            return false;
        }
        const ssize_t got = ::recv(socket_.get(), buffer_.data() + end_, buffer_.size() - end_, 0);
        end_ += got > 0 ? static_cast<std::size_t>(got) : 0;
        return got > 0;
    }

    Descriptor socket_;
    int stop_;
    Deadline deadline_;
    Deadline first_;
    std::array<char, request_bytes_max> buffer_{};
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

// httplib for what it knows of HTTP: to read a request and to write an answer. Its sockets and
// threads are not used: its queue of connections has no bound, its SO_REUSEPORT shares a port that
// another process has in silence, and an aborted connection ends its loop.
class Protocol final : public httplib::Server {
public:
    Protocol(int listener, http::Handler handler) : handler_(std::move(handler)) {
        svr_sock_ = listener;  // Without one httplib takes itself to be ending, and sends no body.
        // Before any routing by regular expressions, and before a body is read.
        set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& out) {
            answer(request, out);
            return HandlerResponse::Handled;
        });
    }

    void serve(Connection& connection) {
        bool closed = false;
        (void)process_request(connection, true, closed, nullptr);
    }

private:
    void answer(const httplib::Request& request, httplib::Response& out) const {
        out.status = 400;
        if (!request.ranges.empty()) {
            return;  // Some bytes of header could ask for many copies of the page.
        }
        Response response{.status = 405, .body = "only GET is answered\n"};
        if (request.method == "GET") {
            response = handler_(request.path);
        } else {
            out.set_header("Allow", "GET");
        }
        out.status = response.status;
        const std::size_t size = response.body.size();
        if (size == 0) {
            return;
        }
        // As a stream of known length: httplib would compress a body, with the time of who asks.
        out.set_content_provider(size, response.content_type,
                                 [body = std::move(response.body)](std::size_t offset,
                                                                   std::size_t length,
                                                                   httplib::DataSink& sink) {
                                     return sink.write(body.data() + offset, length);
                                 });
    }

    http::Handler handler_;
};

}  // namespace

struct Server::Impl {
    Impl(Descriptor listening, Handler handler, const Patience& patient)
        : listener(std::move(listening)),
          patience(patient),
          stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          protocol(listener.get(), std::move(handler)) {
        check(stop.valid(), "an eventfd can be had");
    }

    // Each thread takes a connection and sees it through: what waits, waits in the kernel.
    void run() {
        while (!wait_for(stop.get(), POLLIN, -1, Deadline::in(0ms))) {
            if (!wait_for(listener.get(), POLLIN, stop.get(), Deadline::in(1h))) {
                continue;
            }
            Descriptor socket(
                ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (socket.valid()) {
                serve(std::move(socket));
            } else if (errno != EAGAIN && errno != EINTR) {
                (void)wait_for(-1, 0, stop.get(), Deadline::in(accept_again));
            }
        }
    }

    void serve(Descriptor socket) {
        Connection connection(std::move(socket), stop.get(), patience);
        try {
            protocol.serve(connection);
        } catch (const std::exception&) {
            return;  // httplib's parser, of a request that nobody sends in earnest; or no memory.
        }
        connection.end();
    }

    // std::thread takes the stack's size from the environment.
    Result<void> start_thread() {
        pthread_attr_t attributes;
        pthread_t thread{};
        int problem = pthread_attr_init(&attributes);
        check(problem == 0, "a thread's attributes can be had");
        problem = pthread_attr_setstacksize(&attributes, stack_bytes);
        check(problem == 0, "a stack of that size is allowed");
        problem = pthread_create(
            &thread, &attributes,
            [](void* impl) -> void* {
                static_cast<Impl*>(impl)->run();
                return nullptr;
            },
            this);
        (void)pthread_attr_destroy(&attributes);
        if (problem != 0) {
            return fail(
                {.action = Action::configure,
                 .op = "http.listen",
                 .where = {},
                 .code = {},
                 .detail = "a thread can't be started: " + std::generic_category().message(problem),
                 .hint = "allow this user more processes or memory (ulimit -u, ulimit -v, "
                         "TasksMax)"});
        }
        (void)pthread_setname_np(thread, ("http-" + std::to_string(workers.size())).c_str());
        workers.push_back(thread);
        return {};
    }

    Descriptor listener;
    Patience patience;
    Descriptor stop;
    Protocol protocol;
    std::vector<pthread_t> workers;
};

Result<std::unique_ptr<Server>> Server::listen(const std::string& address, Handler handler,
                                               const Patience& patience) {
    SLUICE_ASSIGN(Descriptor listener, listen_on(address));
    std::unique_ptr<Server> server(
        new Server(std::make_unique<Impl>(std::move(listener), std::move(handler), patience)));
    for (int i = 0; i < threads; ++i) {
        if (auto started = server->impl_->start_thread(); !started) {
            server->close();
            return fail(std::move(started).error());
        }
    }
    return server;
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { check(impl_->workers.empty(), "a server is closed before it dies"); }

void Server::close() {
    (void)eventfd_write(impl_->stop.get(), 1);
    for (const pthread_t worker : impl_->workers) {
        (void)pthread_join(worker, nullptr);
    }
    impl_->workers.clear();
}

}  // namespace sluice::http
