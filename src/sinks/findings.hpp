// What does not fit: a target its table, found when a lane starts or by `sluice check`, and a
// record a column. Each sink has its own rules; how they are told is here.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "model/record.hpp"
#include "sinks/rehearsal.hpp"

namespace sluice {

// A problem and which target it concerns, so that the caller can name its place in the file.
struct TargetProblem {
    std::size_t route = 0;
    std::size_t target = 0;
    Error error;  // `where` is the column, or empty.
};

// Several problems as one error, for those who take one. Not for none.
Error all_problems(std::span<const TargetProblem> problems);

// What `sluice check` learns of a database.
struct Inspection {
    std::vector<Error> problems;                 // Of the database as a whole.
    std::vector<TargetProblem> target_problems;  // Of single targets.
    std::vector<std::string> notes;              // What run would create, and what was found.
    std::unique_ptr<Rehearsal> rehearsal{};      // Null where a target has a problem.
};

// Collects what keeps one target from being written to one table.
class Findings {
public:
    explicit Findings(std::string op) : op_(std::move(op)) {}

    // `column` is empty where it is the whole table's.
    void add(std::string column, std::string detail, std::string hint);
    // That the table lacks the column, or that its type is not among `supported`.
    template <class Table>
    void check_column(const Table& table, const std::string& name, std::string_view supported) {
        const auto* column = table.find(name);
        if (column == nullptr) {
            std::vector<std::string_view> names;
            for (const auto& other : table.columns) {
                names.push_back(other.name);
            }
            add_unknown(table.name, name, names);
        } else if (!column->type) {
            add(name,
                "column '" + name + "' of table " + table.name + " has the type " +
                    column->type_name + ", which is not supported",
                "supported are " + std::string(supported));
        }
    }

    std::vector<Error> take() { return std::move(errors_); }

private:
    void add_unknown(const std::string& table, const std::string& name,
                     std::span<const std::string_view> names);

    std::string op_;
    std::vector<Error> errors_;
};

// Rejects `record`, which does not fit `column` of `table`, or for an empty column its whole row.
[[gnu::cold]] tl::unexpected<Error> rejected(std::string op, const Record& record,
                                             const std::string& table, const std::string& column,
                                             std::string detail, std::string hint);

}  // namespace sluice
