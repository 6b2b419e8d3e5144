#include "map/dead_letter.hpp"

#include <spdlog/fmt/fmt.h>

#include "base/text.hpp"
#include "model/convert.hpp"

namespace sluice {
namespace {

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
    if (record.timestamp_ms) {
        timestamp = integer(*record.timestamp_ms, CellKind::time_ms);
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

}  // namespace sluice
