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

Path member_path(Path path, const std::string& name) {
    path.steps.emplace_back(name);
    path.spelling += "." + name;
    return path;
}

}  // namespace sluice
