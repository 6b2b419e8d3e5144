#include "sinks/postgres/upsert.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include "base/big_endian.hpp"

namespace sluice::postgres {
namespace {

std::optional<FailedRow> record_of(const FoldedRow& row) {
    return row.shared ? std::nullopt : std::optional(FailedRow{row.piece, row.offset});
}

class Upserter {
public:
    Upserter(Connection& connection, const TablePlan& plan, Deadline deadline)
        : connection_(connection), plan_(plan), deadline_(deadline), stage_(stage_name(plan)) {}

    Counted write(const std::vector<FoldedRow>& rows) {
        if (rows.empty()) {
            return 0;
        }
        // Inside the transaction and IF NOT EXISTS: behind a transaction pooler each transaction
        // may meet another backend.
        if (auto made = run(connection_, stage_definition(), deadline_); !made) {
            return made;
        }
        std::map<Presence, Assembled> groups;
        for (const auto& row : rows) {
            if (row.op != FoldedOp::remove) {
                Assembled& group = groups[presence_of(row.cells)];
                append_present(row.cells, group.bytes);
                group.rows.push_back(record_of(row));
            }
        }
        std::size_t groups_left = groups.size();
        if (auto removed = remove(rows, groups_left > 0); !removed) {
            return removed;
        }
        std::uint64_t skipped = 0;
        for (const auto& [present, group] : groups) {
            const bool more = --groups_left > 0;
            auto merged = plan_.mode == Mode::update ? update_only(present, group, more)
                          : updates_first(present)   ? update(present, group, more)
                                                     : merge(present, group, more);
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

    // Emptied with its transaction, not dropped: a table for each batch would be rows in the
    // catalogs for each batch. Behind a pooler each server session comes to have its own.
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
            keys.rows.push_back(record_of(row));
        }
        if (keys.rows.empty()) {
            return 0;
        }
        if (auto staged = stage(key_only(), keys); !staged) {
            return staged;
        }
        return run(connection_,
                   "DELETE FROM " + plan_.quoted + " t USING " + stage_ + " s WHERE " + same_key() +
                       empty_if(more),
                   deadline_);
    }

    [[nodiscard]] std::string same_key() const {
        std::string where;
        for (std::size_t i = 0; i < plan_.key_size; ++i) {
            const auto column = quote_identifier(plan_.columns[i].name);
            where.append(i == 0 ? "" : " AND ").append("t." + column + " = s." + column);
        }
        return where;
    }

    // "a = S.a, b = S.b" of what is present beside the key.
    [[nodiscard]] std::string updates(const Presence& present, std::string_view source) const {
        std::string sql;
        for (std::size_t i = plan_.key_size; i < plan_.columns.size(); ++i) {
            if (present[i]) {
                const auto column = quote_identifier(plan_.columns[i].name);
                sql.append(sql.empty() ? "" : ", ").append(column + " = ");
                sql.append(source).append("." + column);
            }
        }
        return sql;
    }

    [[nodiscard]] bool updates_first(const Presence& present) const {
        if (plan_.mode == Mode::insert_ignore) {
            return false;
        }
        for (std::size_t i = plan_.key_size; i < plan_.columns.size(); ++i) {
            if (!present[i] && plan_.columns[i].needs_value()) {
                return true;
            }
        }
        return false;
    }

    // Rows that lack a value without which none is made. PostgreSQL looks for that before it looks
    // for the conflict, so they are updated first; what is not there then fails by its own words.
    Counted update(const Presence& present, const Assembled& rows, bool more) {
        if (auto staged = stage(present, rows); !staged) {
            return staged;
        }
        std::uint64_t written = 0;
        const auto changes = updates(present, "s");
        if (!changes.empty()) {
            const auto updated = run(connection_, update_statement(changes), deadline_);
            if (!updated) {
                return updated;
            }
            written = *updated;
        }
        const auto columns = column_list(plan_, present);
        const auto inserted = run(connection_,
                                  "INSERT INTO " + plan_.quoted + " (" + columns + ") SELECT " +
                                      columns + " FROM " + stage_ +
                                      " s WHERE NOT EXISTS (SELECT FROM " + plan_.quoted +
                                      " t WHERE " + same_key() + ")" + empty_if(more),
                                  deadline_);
        return inserted.map([&](std::uint64_t count) {
            return changes.empty() ? 0 : rows.rows.size() - written - count;
        });
    }

    [[nodiscard]] std::string update_statement(const std::string& changes) const {
        return "UPDATE " + plan_.quoted + " t SET " + changes + " FROM " + stage_ + " s WHERE " +
               same_key();
    }

    // Rows that are not there are passed over, which is no skipping.
    Counted update_only(const Presence& present, const Assembled& rows, bool more) {
        const auto changes = updates(present, "s");
        if (changes.empty()) {
            return 0;
        }
        if (auto staged = stage(present, rows); !staged) {
            return staged;
        }
        return run(connection_, update_statement(changes) + empty_if(more), deadline_)
            .map([](std::uint64_t) -> std::uint64_t { return 0; });
    }

    // What becomes of a row whose key is there.
    [[nodiscard]] std::string on_conflict(const std::string& changes) const {
        if (changes.empty()) {
            return "NOTHING";
        }
        if (plan_.mode != Mode::upsert_newer) {
            return "UPDATE SET " + changes;
        }
        const auto version = quote_identifier(plan_.columns[plan_.version].name);
        return "UPDATE SET " + changes + " WHERE t." + version + " IS NULL OR t." + version +
               " < EXCLUDED." + version;
    }

    Counted merge(const Presence& present, const Assembled& rows, bool more) {
        if (auto staged = stage(present, rows); !staged) {
            return staged;
        }
        const auto columns = column_list(plan_, present);
        const auto changes = plan_.mode == Mode::insert_ignore ? std::string()
                                                               : updates(present, "EXCLUDED");
        const auto merged = run(connection_,
                                "INSERT INTO " + plan_.quoted + " AS t (" + columns + ") SELECT " +
                                    columns + " FROM " + stage_ + " ON CONFLICT (" +
                                    column_list(plan_, key_only()) + ") DO " +
                                    on_conflict(changes) + empty_if(more),
                                deadline_);
        // Rows that are there already, or are newer, are not counted.
        const bool all_count = !changes.empty() && plan_.mode != Mode::upsert_newer;
        return merged.map(
            [&](std::uint64_t count) { return all_count ? rows.rows.size() - count : 0; });
    }

    Connection& connection_;
    const TablePlan& plan_;
    Deadline deadline_;
    std::string stage_;
};

}  // namespace

Counted upsert(Connection& connection, const Batch& batch, const std::vector<Slice>& slices,
               std::size_t table, const TablePlan& plan, Deadline deadline) {
    Folder folder(plan);
    for (const auto& slice : slices) {
        const TableRows& rows = batch.pieces()[slice.piece].tables[table];
        const auto [first, last] = batch.rows(slice, table);
        for (std::size_t i = first; i < last; ++i) {
            folder.add(slice.piece, rows.row(i), rows.rows[i]);
        }
    }
    if (folder.truncates()) {
        auto emptied = run(connection, "TRUNCATE " + plan.quoted, deadline);
        if (!emptied) {
            return emptied;
        }
    }
    return Upserter(connection, plan, deadline).write(folder.take());
}

}  // namespace sluice::postgres
