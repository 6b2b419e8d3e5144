#include "sinks/cassandra/rows.hpp"

#include <cstring>
#include <limits>

#include "base/big_endian.hpp"
#include "base/check.hpp"
#include "sinks/cassandra/encode.hpp"
#include "sinks/findings.hpp"

namespace sluice::cassandra {
namespace {

constexpr auto op = "cassandra.encode";

Result<void> append_nothing(const TablePlan& plan, const Column& column, const Record& record,
                            CellKind kind, std::string& out) {
    if (column.is_key()) {
        return rejected(op, record, plan.name, column.name,
                        std::string("a column of the primary key is ") +
                            (kind == CellKind::null ? "null" : "absent"),
                        "send the field, or fill the column from another one");
    }
    append_length(out, kind == CellKind::null ? length_null : length_unset);
    return {};
}

Result<void> append_cell(const TablePlan& plan, const Bind& bind, const Record& record,
                         const Row& row, std::string& out) {
    if (bind.fill == Fill::bucket) {
        append_number(out, record.offset.value() / bucket_offsets);
        return {};
    }
    const Cell& cell = row.cells[bind.cell];
    if (cell.kind == CellKind::absent || cell.kind == CellKind::null) {
        return append_nothing(plan, bind.column, record, cell.kind, out);
    }
    const auto encoded = bind.fill == Fill::json ? encode_json(bind.column, cell, out)
                                                 : encode(bind.column, cell, out);
    if (!encoded) {
        return rejected(op, record, plan.name, bind.column.name,
                        encoded.error().reason + " (the column is " + bind.column.type_name + ")",
                        encoded.error().hint);
    }
    return {};
}

// What Cassandra would refuse of a key that has been appended from `begin` on.
Result<void> check_key(const TablePlan& plan, const Record& record, std::string_view cells,
                       std::size_t begin) {
    std::size_t partition_bytes = 0;
    for (std::size_t i = 0; i < plan.primary_key_size; ++i) {
        std::int32_t length = 0;
        std::memcpy(&length, cells.data() + begin, sizeof(length));
        const auto size = static_cast<std::size_t>(length);
        begin += sizeof(length) + size;
        // A composite partition key has two bytes of length and one of end for each component.
        const bool partition = i < plan.partition_key_size;
        partition_bytes += partition ? size + (plan.partition_key_size > 1 ? 3 : 0) : 0;
        const std::string& column = plan.binds[i].column.name;
        if (size == 0 && partition && plan.partition_key_size == 1) {
            return rejected(op, record, plan.name, column,
                            "the partition key is empty, which Cassandra refuses",
                            "send a value that is not empty, or choose another key");
        }
        if ((partition ? partition_bytes : size) > key_bytes_max) {
            return rejected(op, record, plan.name, column,
                            "the key is longer than the 65,535 bytes that Cassandra takes",
                            "choose a shorter key");
        }
    }
    return {};
}

// The value of a bigint or a timestamp that has been appended at `begin`.
Result<std::int64_t> version_at(const TablePlan& plan, const Record& record, std::string_view cells,
                                std::size_t begin) {
    const Column& column = plan.binds[*plan.version].column;
    const auto value = read_big_endian<std::int64_t>(cells.data() + begin + sizeof(std::int32_t));
    std::int64_t us = value;
    // The least one stands for no timestamp in the server (org.apache.cassandra.db.LivenessInfo).
    const bool fits = column.type == Type::timestamp ? !__builtin_mul_overflow(value, 1000, &us)
                                                     : true;
    if (!fits || us == std::numeric_limits<std::int64_t>::min()) {
        return rejected(op, record, plan.name, column.name,
                        "the version is beyond what Cassandra takes as a write's timestamp",
                        "versions are 64-bit integers above the least one, times in microseconds");
    }
    return us;
}

// Without one the row has the table's own.
Result<void> append_ttl(const TablePlan& plan, const Record& record, const Row& row,
                        std::string& out) {
    if (row.ttl == nullptr || is_nothing(*row.ttl)) {
        append_length(out, length_unset);
        return {};
    }
    const std::size_t begin = out.size();
    const Column column{.name = "ttl", .type_name = "int", .type = Type::int32};
    const auto encoded = encode(column, *row.ttl, out);
    const auto value =
        encoded ? read_big_endian<std::int32_t>(out.data() + begin + sizeof(std::int32_t)) : 0;
    if (!encoded || value < 1 || value > ttl_s_max) {
        return rejected(op, record, plan.name, "ttl",
                        encoded ? "no time that a row can live" : encoded.error().reason,
                        "it is whole seconds, 1 to 630720000 (20 years); without one the row "
                        "lives as the table says");
    }
    return {};
}

Result<EncodedRow> append_cells(const TablePlan& plan, const Record& record, ClockMicros clock,
                                const Row& row, std::string& out) {
    const std::size_t begin = out.size();
    const bool remove = row.op == RowOp::del;
    check(!remove || !plan.remove.empty(), "only an upsert deletes");
    if (remove) {
        append_number(out, clock.value());
    }
    const std::size_t key_begin = out.size();
    std::size_t key_end = key_begin;
    std::size_t primary_key_end = key_begin;
    const std::size_t count = remove ? plan.primary_key_size : plan.binds.size();
    std::size_t version_begin = 0;
    for (std::size_t i = 0; i < count; ++i) {
        version_begin = plan.version == i ? out.size() : version_begin;
        SLUICE_TRY(append_cell(plan, plan.binds[i], record, row, out));
        key_end = i + 1 == plan.partition_key_size ? out.size() : key_end;
        primary_key_end = i + 1 == plan.primary_key_size ? out.size() : primary_key_end;
    }
    SLUICE_TRY(check_key(plan, record, out, key_begin));
    if (!remove) {
        std::int64_t timestamp = clock.value();
        if (plan.version) {
            SLUICE_ASSIGN(timestamp, version_at(plan, record, out, version_begin));
        }
        if (plan.ttl) {
            SLUICE_TRY(append_ttl(plan, record, row, out));
        }
        append_number(out, timestamp);
    }
    if (out.size() - begin > row_bytes_max) {
        return rejected(op, record, plan.name, {},
                        "the row has " + std::to_string(out.size() - begin) +
                            " bytes, more than the " + std::to_string(row_bytes_max) +
                            " that are sent at once",
                        "leave out large fields, or split the record");
    }
    return EncodedRow{key_begin - begin, key_end - key_begin, primary_key_end - key_begin};
}

}  // namespace

Result<EncodedRow> append_row(const TablePlan& plan, const Record& record, ClockMicros clock,
                              const Row& row, std::string& out) {
    check(row.cells.size() == plan.cells, "a row has a cell for each column of its target");
    const std::size_t begin = out.size();
    auto encoded = append_cells(plan, record, clock, row, out);
    if (!encoded) {
        out.resize(begin);
    }
    return encoded;
}

}  // namespace sluice::cassandra
