// From what a topic's records look like to a route's target, with the reason for each guess. Pure.
#pragma once

#include <string>
#include <vector>

#include "app/config_sections.hpp"
#include "app/profile.hpp"
#include "model/target.hpp"

namespace sluice {

// A target of one database, and why it is what it is: a line each, without a full stop.
struct ProposedTarget {
    Target target;  // Without a table: the one of events.
    std::string table_why;
    std::string mode_why;
    std::string key_why;
    std::string deleted_why;
    std::vector<std::string> column_whys;  // As target.columns.
};

struct ProposedFormats {
    Format key = Format::string;
    Format value = Format::json;
    std::string key_why;
    std::string value_why;
};

ProposedFormats propose_formats(const TopicProfile& profile);
ProposedTarget propose_target(const TopicProfile& profile, const std::string& topic,
                              const ProposedFormats& formats, Database database);

}  // namespace sluice
