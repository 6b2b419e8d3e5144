// The second stage of reading JSON: from the places where tokens begin to nodes. For
// decode/json.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "model/json.hpp"

namespace sluice {

// Where strings with escapes go. It never moves while a document points into it.
class UnescapedMemory {
public:
    // A new document of at most `room` bytes: unescaping never makes a string longer, so that is
    // room for all its strings.
    void start(std::size_t room) {
        room_ = room;
        next_ = nullptr;
    }
    // Where the next string goes. Memory is taken when the first string of a document needs it.
    char* next() {
        if (next_ == nullptr) {
            if (size_ < room_) {
                memory_ = std::make_unique_for_overwrite<char[]>(room_);
                size_ = room_;
            }
            next_ = memory_.get();
        }
        return next_;
    }
    void advance(std::size_t bytes) { next_ += bytes; }

private:
    std::unique_ptr<char[]> memory_;
    std::size_t size_ = 0;
    std::size_t room_ = 0;
    char* next_ = nullptr;
};

struct JsonProblem {
    std::string_view reason;
    std::size_t position = 0;
};

// `tokens` are simdjson's structural indexes of `bytes`, which its first stage has accepted.
bool walk_json(std::string_view bytes, std::span<const std::uint32_t> tokens,
               JsonDocument& document, UnescapedMemory& unescaped, JsonProblem& problem);

}  // namespace sluice
