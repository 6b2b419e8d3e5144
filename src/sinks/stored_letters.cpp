#include "sinks/stored_letters.hpp"

namespace sluice {

Record record_of(const StoredLetter& letter, std::vector<Header>& headers) {
    headers.clear();
    for (const auto& header : letter.headers) {
        headers.push_back({header.name, header.value});
    }
    return {.partition = &letter.info.key.partition,
            .offset = letter.info.key.offset,
            .timestamp_ms = letter.info.timestamp_ms,
            .key = letter.key,
            .value = letter.value,
            .headers = headers};
}

}  // namespace sluice
