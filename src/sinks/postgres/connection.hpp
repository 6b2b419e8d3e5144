// One PostgreSQL connection: every call has a deadline, every error is sorted once, here. One
// exception: while open() looks up a host's name it waits for the name server as libpq does.
// No header but libpq.hpp, which is for connection.cpp alone, shows libpq-fe.h.
//
// Thread: one at a time. After a failure with `lost` set the connection is of no more use.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace sluice::postgres {

// An error of the server or of the way to it.
struct Failure {
    Error error;                             // Its code is the SQLSTATE; empty if none came.
    std::optional<std::uint64_t> copy_line;  // The line of COPY's input, counted from 1.
    std::string column;                      // The column that COPY or the constraint names.
    bool lost = false;                       // The connection is gone.
};
template <class T>
using Outcome = tl::expected<T, Failure>;

struct Server;  // Of those that a URL names; see libpq.hpp.

// Rows as text, the server's way.
class Rows {
public:
    struct Cell {
        bool null = true;
        std::string text;
    };

    [[nodiscard]] std::size_t size() const { return rows_.size(); }
    [[nodiscard]] bool is_null(std::size_t row, std::size_t column) const {
        return rows_[row][column].null;
    }
    [[nodiscard]] const std::string& text(std::size_t row, std::size_t column) const {
        return rows_[row][column].text;
    }
    [[nodiscard]] std::int64_t integer(std::size_t row, std::size_t column) const;
    [[nodiscard]] bool boolean(std::size_t row, std::size_t column) const {
        return text(row, column) == "t";
    }
    // Rows that INSERT, UPDATE, DELETE or COPY touched.
    [[nodiscard]] std::uint64_t affected() const { return affected_; }

private:
    friend class Connection;
    std::vector<std::vector<Cell>> rows_;
    std::uint64_t affected_ = 0;
};

// Ends the wait of any connection that watches it. raise() may be called from any thread.
class Interrupt {
public:
    Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;
    ~Interrupt();
    void raise() const;
    [[nodiscard]] int descriptor() const { return descriptor_; }

private:
    int descriptor_;
};

struct ConnectOptions {
    std::string url;  // postgresql://…, or libpq's own key=value text.
    std::optional<std::string> user;
    std::optional<Secret> password;
    std::string application_name;
    const Interrupt* interrupt = nullptr;  // Not owned; may be null.
};

class Connection {
public:
    static Outcome<Connection> open(const ConnectOptions& options, Deadline deadline);
    Connection(Connection&&) noexcept;
    Connection& operator=(Connection&&) noexcept;
    ~Connection();

    // As PQserverVersion() gives it: 150004 is 15.4.
    [[nodiscard]] int server_version() const;
    // The backend's process at the server, while the connection is good; behind a pooler a number
    // of the pooler's own.
    [[nodiscard]] int server_process() const;
    // One or several statements without parameters; the result of each, in order.
    // `op` names what is attempted, for errors.
    Outcome<std::vector<Rows>> script(const std::string& sql, Deadline deadline,
                                      std::string_view op = "postgres.query");
    // One statement; parameters as text, nullopt is null.
    Outcome<Rows> query(const std::string& sql,
                        std::span<const std::optional<std::string>> parameters, Deadline deadline);
    // COPY … FROM STDIN; the pieces are sent one after the other. Returns the rows written.
    Outcome<std::uint64_t> copy_in(const std::string& sql, std::span<const std::string_view> pieces,
                                   Deadline deadline);

    [[nodiscard]] bool idle_transaction() const;  // Outside of any transaction block.

private:
    struct Impl;
    static Outcome<Connection> open_one(const ConnectOptions& options, const Server& server,
                                        Deadline deadline);
    explicit Connection(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

std::string quote_identifier(std::string_view name);
// A string constant; backslashes and quotes are safe. The text must not hold NUL.
std::string quote_literal(std::string_view text);
std::string library_version();  // "libpq 15.18"

}  // namespace sluice::postgres
