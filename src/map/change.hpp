// Change events: what Debezium's envelopes become in a table that follows their source's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "map/mark.hpp"
#include "map/path_reader.hpp"
#include "map/unsent.hpp"
#include "model/row.hpp"
#include "model/target.hpp"

namespace sluice {

// Why the path leads to nothing in any envelope, and what to write; nothing where it does not.
struct PathMistake {
    std::string detail;
    std::string hint;
};
std::optional<PathMistake> mistake_in_change_path(const Path& path);
// Why the path is no condition on changes, likewise.
std::optional<PathMistake> mistake_in_change_condition(const Path& path);

// The rows of one target in mode `changes`. One per thread; the target must outlive it.
class ChangeMapper {
public:
    // The target's key columns are among its columns, and its paths lead into what is read as JSON
    // and what an envelope has.
    ChangeMapper(const Target& target, std::uint32_t index);

    // The rows live until the next map(), and no longer than the event. By the envelope's `op`:
    //
    // c, r: a put of `after`. u: the same; where the key in `before` is another, a delete of that
    // one first. d: a delete; the key comes from the record's key, else from `before`. A null value
    // (a tombstone): a delete if the record's key holds the whole key, else no row; the delete came
    // before it. m (a message in the source's log), heartbeats and transaction marks: no row.
    //
    // A value that the source did not send because it is unchanged is taken from `before`, or is
    // absent: what is stored stays.
    //
    // Rejected: another op, no `after`, a key that is not whole, a value that was not sent of a row
    // that is new. A truncate (t) fails with Action::stop, or is a row where the target truncates.
    Result<std::span<const Row>> map(const Event& event, const Uuid& topic_id);

private:
    // The numbers of a column's paths.
    struct Column {
        std::size_t path = 0;               // `value.after.x`
        std::optional<std::size_t> before;  // `value.before.x` for it.
        std::optional<std::size_t> in_key;  // `key.x` for it; key columns only.
        bool is_key = false;
    };

    void add_delete();  // Of former_.
    [[nodiscard]] Result<Cell> read(std::size_t column, std::size_t path, const Event& event,
                                    const Uuid& topic_id) const;
    Result<void> put(const Event& event, const Uuid& topic_id, bool is_new);
    Result<void> put_cell(std::size_t column, const Event& event, const Uuid& topic_id,
                          bool is_new);
    Result<void> remove_former(const Event& event, const Uuid& topic_id);
    Result<void> remove(const Event& event, const Uuid& topic_id);
    // Absent where nothing tells it.
    [[nodiscard]] Result<Cell> deleted_key(std::size_t column, const Event& event,
                                           const Uuid& topic_id) const;

    const Target* target_;
    std::uint32_t index_;
    PathReader reader_;
    std::vector<Column> columns_;
    UnsentValues unsent_;
    std::optional<DeletedMark> mark_;
    bool keeps_stored_ = false;  // The put has such a value.
    std::vector<Cell> cells_;
    std::vector<Cell> former_;  // Of the row that is deleted.
    std::vector<Row> rows_;
};

}  // namespace sluice
