#include "model/target.hpp"

#include <utility>

namespace sluice {

Path fields_path(const Target& target) {
    if (target.others) {
        return *target.others;
    }
    if (target.each) {
        return {.source = Source::item, .name = {}, .steps = {}, .spelling = "item"};
    }
    Path path{.source = Source::value, .name = {}, .steps = {}, .spelling = "value"};
    return target.mode == Mode::changes ? member_path(std::move(path), "after") : path;
}

Target with_mark(Target target) {
    if (target.deleted_column.empty()) {
        return target;
    }
    if (target.columns.empty()) {
        target.others = fields_path(target);
    }
    target.columns.push_back(
        {.column = target.deleted_column,
         .path = {.source = Source::mark, .name = {}, .steps = {}, .spelling = "deleted.column"},
         .reading = {}});
    return target;
}

Path member_path(Path path, const std::string& name) {
    path.steps.emplace_back(name);
    path.spelling += "." + name;
    return path;
}

}  // namespace sluice
