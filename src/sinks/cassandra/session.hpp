// The driver's handles with owners, and its errors translated. Every error of this folder that
// came from a server was sorted by this file's functions.
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
#include "base/uuid.hpp"

struct SlcSession;
struct SlcStatement;
struct SlcRows;
struct SlcRow;

namespace sluice::cassandra {

struct ConnectOptions {
    std::vector<std::string> hosts;  // "host:port"; one that answers is enough.
    std::optional<std::string> local_dc;
    std::string consistency = "local_quorum";  // By its name in the configuration.
    std::optional<std::string> username;
    std::optional<Secret> password;
    std::string application_name;
};

// A result, whole in memory. Row and column must exist, and the column have the type asked for.
class Rows {
public:
    explicit Rows(SlcRows* rows) : rows_(rows, &free) {}

    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] std::size_t columns() const;
    // The column's index, or nothing.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view column) const;
    [[nodiscard]] bool is_null(std::size_t row, std::size_t column) const;
    // Null gives an empty text, 0, false, a nil id.
    [[nodiscard]] std::string text(std::size_t row, std::size_t column) const;
    [[nodiscard]] std::int64_t integer(std::size_t row, std::size_t column) const;  // 1 to 8 bytes
    [[nodiscard]] bool boolean(std::size_t row, std::size_t column) const;
    [[nodiscard]] Uuid uuid(std::size_t row, std::size_t column) const;

private:
    [[nodiscard]] std::string_view bytes(std::size_t row, std::size_t column) const;
    static void free(SlcRows* rows);

    std::unique_ptr<SlcRows, void (*)(SlcRows*)> rows_;
};

class Statement {
public:
    explicit Statement(SlcStatement* statement) : statement_(statement, &free) {}
    [[nodiscard]] const SlcStatement* get() const { return statement_.get(); }

private:
    static void free(SlcStatement* statement);
    std::unique_ptr<SlcStatement, void (*)(SlcStatement*)> statement_;
};

// What became of a write: rows that are not listed are durable.
struct RowFailure {
    std::uint32_t row = 0;    // Index into the rows of the request.
    std::uint32_t error = 0;  // Index into WriteOutcome::errors.
};
struct WriteOutcome {
    std::vector<Error> errors;
    std::vector<RowFailure> failures;  // Sorted by row.
};

// Keeps the memory of a request until done() was called, which is exactly once, on a thread of
// the driver: it must be short, must not throw, and is the listener's end.
class WriteListener {
public:
    virtual ~WriteListener() = default;
    virtual void done(WriteOutcome outcome) noexcept = 0;
};

struct WriteRequest {
    std::span<const SlcStatement* const> statements;
    std::string_view cells;        // Borrowed until done().
    const SlcRow* rows = nullptr;  // Borrowed until done().
    std::size_t rows_size = 0;
    std::uint32_t in_flight_max = 0;  // Rows; 0 is the driver's default.
    std::chrono::milliseconds timeout{0};
};

struct Node {
    std::string datacenter;  // Empty where it is not known.
    bool up = false;
};

// Connections and the driver's thread. Functions with a deadline block; they may be called from
// any thread but the driver's. Lost connections come back by themselves.
class Session {
public:
    static Result<Session> connect(const ConnectOptions& options, Deadline deadline);
    Session(Session&&) = default;
    Session& operator=(Session&&) = delete;

    Result<Rows> query(std::string_view cql, Deadline deadline);
    Result<Statement> prepare(std::string_view cql, Deadline deadline);
    // `cells` is one row; see encode.hpp.
    Result<Rows> execute(const Statement& statement, std::string_view cells, Deadline deadline);
    // Does not block. After an error done() is never called.
    Result<void> write(const WriteRequest& request, std::unique_ptr<WriteListener> listener);
    // As the driver sees them now.
    std::vector<Node> nodes();
    // Ends the writes under way: at the latest by `deadline`, else they end later by themselves.
    void close(Deadline deadline);

private:
    explicit Session(SlcSession* session) : session_(session, &abort) {}
    static void abort(SlcSession* session);

    std::unique_ptr<SlcSession, void (*)(SlcSession*)> session_;
};

// CQL's number of a consistency level that a write may have, by its name.
std::optional<std::uint16_t> consistency_level(std::string_view name);
// "name" with quotes, spelled exactly.
std::string quote_identifier(std::string_view name);
// 'text' with quotes.
std::string quote_text(std::string_view text);

std::string library_version();  // "scylla 1.9.0": the driver

}  // namespace sluice::cassandra
