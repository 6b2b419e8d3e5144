#include "sinks/postgres/statements.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>

#include "base/big_endian.hpp"
#include "sinks/postgres/encode.hpp"
#include "sinks/postgres/sqlstate.hpp"

namespace sluice::postgres {
namespace {

// copy() and run() give how many rows the server wrote or deleted; the others how many of those
// sent the table's own triggers skipped.
using Counted = tl::expected<std::uint64_t, WriteFailure>;

// COPY BINARY, file header: signature, flags, no header extension (PostgreSQL manual, COPY).
constexpr std::string_view copy_header("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr std::string_view copy_trailer("\377\377", 2);

// Which columns a row brings: the others are absent.
using Presence = std::vector<bool>;

std::string column_list(const TablePlan& plan, const Presence& present,
                        std::string_view prefix = {}) {
    std::string list;
    for (std::size_t i = 0; i < plan.columns.size(); ++i) {
        if (present[i]) {
            list.append(list.empty() ? "" : ", ").append(prefix);
            list.append(quote_identifier(plan.columns[i].name));
        }
    }
    return list;
}

Presence all_columns(const TablePlan& plan) { return Presence(plan.columns.size(), true); }

Presence presence_of(const std::vector<EncodedCell>& cells) {
    Presence present;
    for (const auto& cell : cells) {
        present.push_back(cell.length != length_absent);
    }
    return present;
}

void append_present(const std::vector<EncodedCell>& cells, std::string& out) {
    const auto count = std::ranges::count_if(
        cells, [](const auto& cell) { return cell.length != length_absent; });
    append_big_endian(out, static_cast<std::uint16_t>(count));
    for (const auto& cell : cells) {
        if (cell.length != length_absent) {
            out.append(cell.bytes);
        }
    }
}

// Rows of one COPY that had to be put together, and which record each came from.
struct Assembled {
    std::string bytes;
    std::vector<FailedRow> rows;
};

Counted copy(Connection& connection, const std::string& target,
             std::span<const std::string_view> pieces,
             const std::function<std::optional<FailedRow>(std::uint64_t line)>& row_at,
             Deadline deadline) {
    auto copied = connection.copy_in("COPY " + target + " FROM STDIN (FORMAT binary)", pieces,
                                     deadline);
    if (copied) {
        return *copied;
    }
    WriteFailure failure{.failure = std::move(copied).error(), .row = {}};
    if (failure.failure.copy_line && *failure.failure.copy_line > 0) {
        failure.row = row_at(*failure.failure.copy_line);
    }
    return tl::unexpected(std::move(failure));
}

Counted copy_assembled(Connection& connection, const std::string& target, const Assembled& rows,
                       Deadline deadline) {
    const std::array<std::string_view, 3> pieces{copy_header, rows.bytes, copy_trailer};
    const auto row_at = [&](std::uint64_t line) -> std::optional<FailedRow> {
        return line <= rows.rows.size() ? std::optional(rows.rows[line - 1]) : std::nullopt;
    };
    const auto copied = copy(connection, target, pieces, row_at, deadline);
    return copied.map([&](std::uint64_t count) { return rows.rows.size() - count; });
}

Counted run(Connection& connection, const std::string& sql, Deadline deadline) {
    auto done = connection.script(sql, deadline, "postgres.write");
    if (!done) {
        return tl::unexpected(WriteFailure{.failure = std::move(done).error(), .row = {}});
    }
    std::uint64_t count = 0;
    for (const auto& result : *done) {
        count += result.affected();
    }
    return count;
}

// Appends.

class Appender {
public:
    Appender(Connection& connection, const Batch& batch, const std::vector<Slice>& slices,
             std::size_t table, const TablePlan& plan, Deadline deadline)
        : connection_(connection),
          batch_(batch),
          slices_(slices),
          table_(table),
          plan_(plan),
          deadline_(deadline) {}

    Counted write() {
        std::size_t rows = 0;
        bool absent = false;
        for (const auto& slice : slices_) {
            const auto [first, last] = batch_.rows(slice, table_);
            rows += last - first;
            absent = absent || table_of(slice).absent_rows > 0;
        }
        if (rows == 0) {
            return 0;
        }
        return absent ? write_by_presence() : write_as_stored(rows);
    }

private:
    [[nodiscard]] const TableRows& table_of(const Slice& slice) const {
        return batch_.pieces()[slice.piece].tables[table_];
    }

    Counted write_as_stored(std::size_t rows) {
        std::vector<std::string_view> pieces{copy_header};
        for (const auto& slice : slices_) {
            const auto [first, last] = batch_.rows(slice, table_);
            if (first < last) {
                pieces.push_back(table_of(slice).span(first, last));
            }
        }
        pieces.push_back(copy_trailer);
        const auto row_at = [this](std::uint64_t line) { return stored_row(line); };
        const auto copied = copy(connection_, target(all_columns(plan_)), pieces, row_at,
                                 deadline_);
        return copied.map([&](std::uint64_t count) { return rows - count; });
    }

    [[nodiscard]] std::optional<FailedRow> stored_row(std::uint64_t line) const {
        std::uint64_t before = 0;
        for (const auto& slice : slices_) {
            const auto [first, last] = batch_.rows(slice, table_);
            if (line <= before + (last - first)) {
                return FailedRow{slice.piece,
                                 table_of(slice).rows[first + line - before - 1].offset};
            }
            before += last - first;
        }
        return std::nullopt;
    }

    // Rows that lack columns take the defaults of those: one COPY for each set of columns.
    Counted write_by_presence() {
        std::map<Presence, Assembled> groups;
        std::vector<EncodedCell> cells;
        for (const auto& slice : slices_) {
            const auto [first, last] = batch_.rows(slice, table_);
            for (std::size_t i = first; i < last; ++i) {
                split_row(table_of(slice).row(i), cells);
                Assembled& group = groups[presence_of(cells)];
                append_present(cells, group.bytes);
                group.rows.push_back({slice.piece, table_of(slice).rows[i].offset});
            }
        }
        std::uint64_t skipped = 0;
        for (const auto& [present, rows] : groups) {
            auto written = write_group(present, rows);
            if (!written) {
                return written;
            }
            skipped += *written;
        }
        return skipped;
    }

    Counted write_group(const Presence& present, const Assembled& rows) {
        if (std::ranges::find(present, true) != present.end()) {
            return copy_assembled(connection_, target(present), rows, deadline_);
        }
        // COPY needs a column; rows of nothing but defaults are rare, and go one by one.
        std::string sql;
        for (std::size_t i = 0; i < rows.rows.size(); ++i) {
            sql.append("INSERT INTO ").append(plan_.quoted).append(" DEFAULT VALUES;");
        }
        return run(connection_, sql, deadline_).map([&](std::uint64_t count) {
            return rows.rows.size() - count;
        });
    }

    [[nodiscard]] std::string target(const Presence& present) const {
        return plan_.quoted + " (" + column_list(plan_, present) + ")";
    }

    Connection& connection_;
    const Batch& batch_;
    const std::vector<Slice>& slices_;
    std::size_t table_;
    const TablePlan& plan_;
    Deadline deadline_;
};

// Upserts and deletes, by way of a temporary table.

class Upserter {
public:
    // `used` are the stages that hold rows of this transaction already.
    Upserter(Connection& connection, const TablePlan& plan, std::set<std::string>& used,
             Deadline deadline)
        : connection_(connection), plan_(plan), deadline_(deadline), stage_(stage_name(plan)) {
        needs_emptying_ = !used.insert(stage_).second;
    }

    Counted write(const std::vector<FoldedRow>& rows) {
        if (rows.empty()) {
            return 0;
        }
        // Inside the transaction and IF NOT EXISTS: behind a transaction pooler each transaction
        // may meet another backend.
        const std::string emptied = needs_emptying_ ? "; TRUNCATE " + stage_ : "";
        if (auto made = run(connection_, stage_definition() + emptied, deadline_); !made) {
            return made;
        }
        std::map<Presence, Assembled> groups;
        for (const auto& row : rows) {
            if (row.op != FoldedOp::remove) {
                Assembled& group = groups[presence_of(row.cells)];
                append_present(row.cells, group.bytes);
                group.rows.push_back({row.piece, row.offset});
            }
        }
        std::size_t groups_left = groups.size();
        if (auto removed = remove(rows, groups_left > 0); !removed) {
            return removed;
        }
        std::uint64_t skipped = 0;
        for (const auto& [present, group] : groups) {
            auto merged = merge(present, group, --groups_left > 0);
            if (!merged) {
                return merged;
            }
            skipped += *merged;
        }
        return skipped;
    }

private:
    // The name follows from the definition, so that two plans never share a stage by accident.
    static std::string stage_name(const TablePlan& plan) {
        std::string definition = plan.quoted;
        for (const auto& column : plan.columns) {
            definition.append(1, '\0').append(column.name).append(1, '\0').append(column.type_name);
        }
        const auto hash = std::hash<std::string>{}(definition);
        return quote_identifier("sluice_stage_" + std::to_string(hash));
    }

    [[nodiscard]] std::string stage_definition() const {
        std::string sql = "CREATE TEMPORARY TABLE IF NOT EXISTS " + stage_ + " (";
        for (std::size_t i = 0; i < plan_.columns.size(); ++i) {
            sql.append(i == 0 ? "" : ", ").append(quote_identifier(plan_.columns[i].name));
            sql.append(" ").append(plan_.columns[i].type_name);
        }
        return sql + ") ON COMMIT DELETE ROWS";
    }

    [[nodiscard]] Presence key_only() const {
        Presence present(plan_.columns.size(), false);
        std::fill_n(present.begin(), plan_.key_size, true);
        return present;
    }

    Counted stage(const Presence& present, const Assembled& rows) {
        return copy_assembled(connection_, stage_ + " (" + column_list(plan_, present) + ")", rows,
                              deadline_);
    }

    // Between two uses in one transaction; its end empties the stage by itself.
    [[nodiscard]] std::string empty_if(bool more) const {
        return more ? "; TRUNCATE " + stage_ : "";
    }

    Counted remove(const std::vector<FoldedRow>& rows, bool more) {
        Assembled keys;
        for (const auto& row : rows) {
            if (row.op == FoldedOp::merge) {
                continue;
            }
            append_big_endian(keys.bytes, static_cast<std::uint16_t>(plan_.key_size));
            for (std::size_t i = 0; i < plan_.key_size; ++i) {
                keys.bytes.append(row.cells[i].bytes);
            }
            keys.rows.push_back({row.piece, row.offset});
        }
        if (keys.rows.empty()) {
            return 0;
        }
        if (auto staged = stage(key_only(), keys); !staged) {
            return staged;
        }
        std::string where;
        for (std::size_t i = 0; i < plan_.key_size; ++i) {
            const auto column = quote_identifier(plan_.columns[i].name);
            where.append(i == 0 ? "" : " AND ").append("t." + column + " = s." + column);
        }
        return run(connection_,
                   "DELETE FROM " + plan_.quoted + " t USING " + stage_ + " s WHERE " + where +
                       empty_if(more),
                   deadline_);
    }

    Counted merge(const Presence& present, const Assembled& rows, bool more) {
        if (auto staged = stage(present, rows); !staged) {
            return staged;
        }
        const auto columns = column_list(plan_, present);
        std::string updates;
        for (std::size_t i = plan_.key_size; i < plan_.columns.size(); ++i) {
            if (present[i]) {
                const auto column = quote_identifier(plan_.columns[i].name);
                updates.append(updates.empty() ? "" : ", ")
                    .append(column + " = EXCLUDED." + column);
            }
        }
        const auto merged = run(
            connection_,
            "INSERT INTO " + plan_.quoted + " (" + columns + ") SELECT " + columns + " FROM " +
                stage_ + " ON CONFLICT (" + column_list(plan_, key_only()) + ") DO " +
                (updates.empty() ? "NOTHING" : "UPDATE SET " + updates) + empty_if(more),
            deadline_);
        // DO NOTHING does not count the rows that are there already.
        return merged.map(
            [&](std::uint64_t count) { return updates.empty() ? 0 : rows.rows.size() - count; });
    }

    Connection& connection_;
    const TablePlan& plan_;
    Deadline deadline_;
    std::string stage_;
    bool needs_emptying_ = false;
};

Counted upsert(Connection& connection, const Batch& batch, const std::vector<Slice>& slices,
               std::size_t table, const TablePlan& plan, std::set<std::string>& used,
               Deadline deadline) {
    Folder folder(plan);
    for (const auto& slice : slices) {
        const TableRows& rows = batch.pieces()[slice.piece].tables[table];
        const auto [first, last] = batch.rows(slice, table);
        for (std::size_t i = first; i < last; ++i) {
            folder.add(slice.piece, rows.row(i), rows.rows[i]);
        }
    }
    return Upserter(connection, plan, used, deadline).write(folder.take());
}

}  // namespace

void blame_table(const TablePlan& plan, Failure& failure) {
    const bool ours = std::ranges::find(plan.columns, failure.column, &Column::name) !=
                      plan.columns.end();
    if (failure.error.code == "23502" && !failure.column.empty() && !ours) {
        failure.error.action = Action::configure;
        failure.error.hint = "give the column a default, or fill it: add it to columns and restart";
    }
    if (failure.error.code == "08P01" && failure.copy_line) {
        failure.error.action = Action::configure;
        failure.error.hint = hint_for("22P03");
    }
}

tl::expected<std::vector<std::uint64_t>, WriteFailure> write_rows(Connection& connection,
                                                                  const Batch& batch,
                                                                  const std::vector<Slice>& slices,
                                                                  std::span<const TablePlan> plans,
                                                                  Deadline deadline) {
    std::set<std::string> used;
    std::vector<std::uint64_t> skipped;
    for (std::size_t table = 0; table < plans.size(); ++table) {
        const TablePlan& plan = plans[table];
        auto written = plan.mode == Mode::append
                           ? Appender(connection, batch, slices, table, plan, deadline).write()
                           : upsert(connection, batch, slices, table, plan, used, deadline);
        if (!written) {
            Failure& failure = written.error().failure;
            blame_table(plan, failure);
            failure.error.where = failure.column.empty()
                                      ? "table " + plan.name
                                      : "column " + plan.name + "." + failure.column;
            return tl::unexpected(std::move(written).error());
        }
        skipped.push_back(*written);
    }
    return skipped;
}

}  // namespace sluice::postgres
