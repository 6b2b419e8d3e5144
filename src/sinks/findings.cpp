#include "sinks/findings.hpp"

#include "base/text.hpp"

namespace sluice {

Error all_problems(std::span<const TargetProblem> problems) {
    Error error = problems.front().error;
    error.where.clear();  // The column, which the detail names too, with its table.
    for (const auto& problem : problems.subspan(1)) {
        error.hint += " | " + problem.error.detail + "; " + problem.error.hint;
    }
    return error;
}

void Findings::add(std::string column, std::string detail, std::string hint) {
    errors_.push_back({.action = Action::configure,
                       .op = op_,
                       .where = std::move(column),
                       .code = {},
                       .detail = std::move(detail),
                       .hint = std::move(hint)});
}

void Findings::add_unknown(const std::string& table, const std::string& name,
                           std::span<const std::string_view> names) {
    const auto near = nearest(name, names);
    add(name, "table " + table + " has no column '" + name + "'",
        near ? "did you mean '" + std::string(*near) + "'?" : "its columns are " + join(names));
}

tl::unexpected<Error> rejected(std::string op, const Record& record, const std::string& table,
                               const std::string& column, std::string detail, std::string hint) {
    return fail({.action = Action::reject,
                 .op = std::move(op),
                 .where = record.where() + (column.empty() ? ", table " + table
                                                           : ", column " + table + "." + column),
                 .code = {},
                 .detail = std::move(detail),
                 .hint = std::move(hint)});
}

}  // namespace sluice
