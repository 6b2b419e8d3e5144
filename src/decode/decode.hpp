// Record to Event: the bytes of key and value, read as the route says.
#pragma once

#include "base/result.hpp"
#include "decode/connect.hpp"
#include "decode/json.hpp"
#include "decode/json_names.hpp"
#include "model/event.hpp"
#include "model/record.hpp"

namespace sluice {

// One per thread. It holds what the event's views point into: the event is good until the next
// decode() of the same Decoder, and no longer than the record.
class Decoder {
public:
    // Null keys and values decode in every format; an empty one (0 bytes) is not null and is no
    // JSON. Fails with Action::reject; `event` then holds nothing worth reading.
    Result<void> decode(const Record& record, Format key, Format value, DuplicateNames names,
                        Event& event);

private:
    // Two, so that the views of key and value live side by side.
    struct Side {
        std::string_view name;
        JsonParser parser;
        ConnectReader connect;
    };

    static Result<void> decode(const Record& record, const std::optional<std::string_view>& bytes,
                               Format format, Side& side, Decoded& out);
    Result<void> check_names(const Record& record, std::string_view bytes, const Side& side,
                             const Decoded& decoded);

    Side key_{.name = "key", .parser = {}, .connect = {}};
    Side value_{.name = "value", .parser = {}, .connect = {}};
    RepeatedNames repeated_;
};

}  // namespace sluice
