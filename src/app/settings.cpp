#include "app/settings.hpp"

#include <algorithm>
#include <utility>

namespace sluice::settings {
namespace {

struct Section {
    std::string_view prefix;  // Of the full names.
    std::string_view home;    // For people.
    Names names;
};

constexpr std::array sections{
    Section{"", "the top of the file", root},
    Section{"kafka.", "'kafka'", kafka},
    Section{"postgres.", "'postgres'", postgres},
    Section{"cassandra.", "'cassandra'", cassandra},
    Section{"dead_letters.", "'dead_letters'", dead_letters},
    Section{"http.", "'http'", http},
    Section{"routes[].", "a route", route},
    Section{"routes[].<database>.", "a route's 'postgres' or 'cassandra'", target},
    Section{"routes[].<database>.deleted.", "'deleted'", deleted},
    Section{"routes[].<database>.create.", "'create'", create},
    Section{"routes[].<database>.columns.<column>.", "a column", column},
};

}  // namespace

std::vector<std::string> all() {
    std::vector<std::string> names;
    for (const auto& section : sections) {
        for (const auto name : section.names) {
            names.push_back(std::string(section.prefix).append(name));
        }
    }
    return names;
}

std::string_view home_of(std::string_view name) {
    std::string_view home;
    for (const auto& section : sections) {
        if (std::ranges::find(section.names, name) != section.names.end()) {
            if (!home.empty()) {
                return {};
            }
            home = section.home;
        }
    }
    return home;
}

}  // namespace sluice::settings

namespace sluice {

tl::unexpected<Error> bad_setting(std::string detail, std::string hint) {
    return fail({.action = Action::configure,
                 .op = {},
                 .where = {},
                 .code = {},
                 .detail = std::move(detail),
                 .hint = std::move(hint)});
}

}  // namespace sluice
