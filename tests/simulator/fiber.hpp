// A stack of its own for each thread of the simulated processes, switched by hand: one real
// thread runs them all, so that a seed decides what comes after what.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <functional>

#include <ucontext.h>

namespace sluice::sim {

class Fiber {
public:
    // `body` begins with the first resume(), and must let no exception out.
    explicit Fiber(std::function<void()> body);
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;
    ~Fiber();  // After its body has ended, or before it began.

    // From outside of any fiber: runs it until it suspends or ends.
    void resume();
    // From within the one that runs.
    static void suspend();
    [[nodiscard]] bool ended() const { return ended_; }

private:
    static void enter();
    void leave();

    std::function<void()> body_;
    void* stack_ = nullptr;
    bool begun_ = false;
    bool ended_ = false;
    std::jmp_buf inside_;
    std::jmp_buf outside_;
    ucontext_t inside_context_{};
    ucontext_t outside_context_{};
    // What the sanitizers want to know of a stack that is left.
    [[maybe_unused]] void* inside_fake_ = nullptr;
    [[maybe_unused]] void* outside_fake_ = nullptr;
    [[maybe_unused]] const void* outside_stack_ = nullptr;
    [[maybe_unused]] std::size_t outside_size_ = 0;
    [[maybe_unused]] void* tsan_inside_ = nullptr;
    [[maybe_unused]] void* tsan_outside_ = nullptr;
};

}  // namespace sluice::sim
