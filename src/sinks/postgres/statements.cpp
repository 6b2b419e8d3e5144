#include "sinks/postgres/statements.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "sinks/postgres/sqlstate.hpp"
#include "sinks/postgres/upsert.hpp"

namespace sluice::postgres {
namespace {

Presence all_columns(const TablePlan& plan) { return Presence(plan.columns.size(), true); }
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
                return FailedRow{.piece = slice.piece,
                                 .offset = table_of(slice).rows[first + line - before - 1].offset,
                                 .first = line == 1};
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
                group.rows.push_back(FailedRow{slice.piece, table_of(slice).rows[i].offset});
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
    if (plan.dead_letters && failure.error.action == Action::reject) {
        failure.error.action = Action::configure;
        failure.error.hint = letters_hint;
    }
}

tl::expected<std::vector<std::uint64_t>, WriteFailure> write_rows(Connection& connection,
                                                                  const Batch& batch,
                                                                  const std::vector<Slice>& slices,
                                                                  std::span<const TablePlan> plans,
                                                                  Deadline deadline) {
    std::vector<std::uint64_t> skipped;
    for (std::size_t table = 0; table < plans.size(); ++table) {
        const TablePlan& plan = plans[table];
        auto written = is_keyed(plan.mode)
                           ? upsert(connection, batch, slices, table, plan, deadline)
                           : Appender(connection, batch, slices, table, plan, deadline).write();
        if (!written) {
            Failure& failure = written.error().failure;
            written.error().table = table;
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
