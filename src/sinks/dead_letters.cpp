#include "sinks/dead_letters.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "base/check.hpp"
#include "base/text.hpp"
#include "model/convert.hpp"

namespace sluice {
namespace {

// The years 1 to 9999, which every timestamp column takes. Nothing keeps a dead letter out of its
// table, so a record's time beyond them, some producer's mistake, is left out.
constexpr std::int64_t year_1_ms = -62'135'596'800'000;
constexpr std::int64_t year_10000_ms = 253'402'300'800'000;

Cell text(std::string_view value) {
    Cell cell;
    cell.kind = CellKind::text;
    cell.text = value;
    return cell;
}

Cell integer(std::int64_t value, CellKind kind = CellKind::integer) {
    Cell cell;
    cell.kind = kind;
    cell.integer = value;
    return cell;
}

Cell bytes(const std::optional<std::string_view>& value) {
    Cell cell;
    cell.kind = value ? CellKind::bytes : CellKind::null;
    cell.text = value.value_or(std::string_view{});
    return cell;
}

void append_hex(std::string_view bytes, std::string& out) {
    for (const char byte : bytes) {
        fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(byte));
    }
}

void append_json(std::string_view utf8, std::string& out) {
    std::string scratch;
    out.append(*convert::json(text(utf8), scratch));
}

void append_header(const Header& header, std::string& out) {
    out.append(out.size() == 1 ? "{" : ", {");
    if (is_utf8(header.name)) {
        out.append("\"name\": ");
        append_json(header.name, out);
    } else {
        out.append("\"name_hex\": \"");
        append_hex(header.name, out);
        out.push_back('"');
    }
    if (!header.value) {
        out.append(", \"value\": null");
    } else if (is_utf8(*header.value)) {
        out.append(", \"value\": ");
        append_json(*header.value, out);
    } else {
        out.append(", \"hex\": \"");
        append_hex(*header.value, out);
        out.push_back('"');
    }
    out.push_back('}');
}

}  // namespace

std::string_view rejection_reason(const Error& error) {
    constexpr std::array<std::string_view, 4> stages{"decode", "map", "encode", "size"};
    const std::string_view op = error.op;
    const auto stage = op.substr(op.find('.') + 1);  // Of "postgres.encode"; of "map", all of it.
    const auto found = std::ranges::find(stages, stage);
    return found == stages.end() ? "database" : *found;
}

Record without_content(const Record& record) {
    Record rest = record;
    rest.key.reset();
    rest.value.reset();
    rest.headers = {};
    return rest;
}

Row DeadLetterMapper::map(const Record& record, const Error& error, std::uint32_t target) {
    headers_.assign(1, '[');
    for (const auto& header : record.headers) {
        append_header(header, headers_);
    }
    headers_.push_back(']');
    reason_ = error.code.empty() ? error.op : error.op + " " + error.code;
    error_ = error.message();
    Cell headers;
    headers.kind = record.headers.empty() ? CellKind::null : CellKind::json;
    headers.raw = headers_;
    Cell timestamp;
    timestamp.kind = CellKind::null;
    if (const auto& ms = record.timestamp_ms; ms && *ms >= year_1_ms && *ms < year_10000_ms) {
        timestamp = integer(*ms, CellKind::time_ms);
    }
    cells_ = {text(record.partition->topic),
              integer(record.partition->partition.value()),
              integer(record.offset.value()),
              timestamp,
              bytes(record.key),
              bytes(record.value),
              headers,
              text(reason_),
              text(error_)};
    return {.target = target, .op = RowOp::put, .cells = cells_};
}

KeptRecords::Length KeptRecords::keep(const std::optional<std::string_view>& bytes) {
    if (!bytes) {
        return std::nullopt;
    }
    bytes_.append(*bytes);
    return static_cast<std::uint32_t>(bytes->size());
}

void KeptRecords::add(const Record& record, ClockMicros clock) {
    Entry entry{.offset = record.offset,
                .clock = clock,
                .timestamp_ms = record.timestamp_ms,
                .begin = bytes_.size(),
                .key = keep(record.key),
                .value = keep(record.value),
                .headers_begin = static_cast<std::uint32_t>(headers_.size()),
                .headers_count = static_cast<std::uint32_t>(record.headers.size())};
    for (const auto& header : record.headers) {
        const Length name = keep(header.name);
        headers_.push_back({.name = *name, .value = keep(header.value)});
    }
    entries_.push_back(entry);
}

KeptRecords::Kept KeptRecords::find(const TopicPartition& partition, Offset offset) {
    const auto entry = std::ranges::lower_bound(entries_, offset, {}, &Entry::offset);
    check(entry != entries_.end() && entry->offset == offset, "the record was kept");
    std::string_view rest = std::string_view(bytes_).substr(entry->begin);
    const auto next = [&rest](const Length& length) -> std::optional<std::string_view> {
        if (!length) {
            return std::nullopt;
        }
        const auto taken = rest.substr(0, *length);
        rest.remove_prefix(*length);
        return taken;
    };
    Kept kept{.record = {.partition = &partition,
                         .offset = offset,
                         .timestamp_ms = entry->timestamp_ms,
                         .key = next(entry->key),
                         .value = next(entry->value),
                         .headers = {}},
              .clock = entry->clock};
    found_headers_.clear();
    for (std::uint32_t i = 0; i < entry->headers_count; ++i) {
        const HeaderLengths& lengths = headers_[entry->headers_begin + i];
        const auto name = next(lengths.name);
        found_headers_.push_back({*name, next(lengths.value)});
    }
    kept.record.headers = found_headers_;
    return kept;
}

}  // namespace sluice
