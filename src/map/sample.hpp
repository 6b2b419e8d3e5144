// A sample of a topic's records: what a target's table must look like to take them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "map/path_reader.hpp"
#include "model/event.hpp"
#include "model/table_shape.hpp"

namespace sluice {

// What stands where a target's columns are found by name: the schema's fields or the object's
// members, each once, in their order.
class TableSample {
public:
    explicit TableSample(const Target& target);

    // A record that the target does not take tells nothing, a tombstone of the key alone. In mode
    // changes an event without a row tells nothing. With `each`, what its items tell.
    void add(Event& event);
    // Columns that the configuration names first; where it names none, those that were found.
    [[nodiscard]] TableShape shape() const;

private:
    struct Found {
        ColumnShape column;
        std::size_t path = 0;
    };
    void add_one(const Event& event);
    void see(Found& found, const Event& event);
    void see_fields(const Event& event);
    void see_key(const Event& event);
    void add_column(const ColumnSource& source);

    const Target& target_;
    PathReader reader_;
    std::vector<Found> found_;
    std::vector<std::string> record_key_;  // The fields of the record's key, where it has any.
    std::size_t records_ = 0;
};

// The fields that `event` has by its schema, where a target finds its columns by name, and that
// none of the target's columns has the name of. The same for all events of one schema.
std::vector<ColumnShape> new_fields(const Target& target, const Event& event);

}  // namespace sluice
