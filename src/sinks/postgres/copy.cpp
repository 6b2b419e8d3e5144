#include "sinks/postgres/copy.hpp"

#include <algorithm>
#include <array>

#include "base/big_endian.hpp"
#include "sinks/postgres/encode.hpp"

namespace sluice::postgres {

std::string column_list(const TablePlan& plan, const Presence& present) {
    std::string list;
    for (std::size_t i = 0; i < plan.columns.size(); ++i) {
        if (present[i]) {
            list.append(list.empty() ? "" : ", ");
            list.append(quote_identifier(plan.columns[i].name));
        }
    }
    return list;
}

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
        if (line > rows.rows.size() || !rows.rows[line - 1]) {
            return std::nullopt;
        }
        FailedRow row = *rows.rows[line - 1];
        row.first = line == 1;
        return row;
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

}  // namespace sluice::postgres
