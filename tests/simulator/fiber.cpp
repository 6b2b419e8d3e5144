#include "simulator/fiber.hpp"

#include <sys/mman.h>

#include <utility>
#include <vector>

#include "base/check.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace sluice::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// They follow swapcontext, not longjmp between stacks. It costs two system calls a switch.
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

constexpr std::size_t stack_bytes = sanitized ? 1u << 20 : 256u << 10;

Fiber* running = nullptr;

// Memory that is touched only as far as it is used; kept for the next fiber.
std::vector<void*>& free_stacks() {
    static std::vector<void*> stacks;
    return stacks;
}

void* take_stack() {
    auto& stacks = free_stacks();
    if (stacks.empty()) {
        void* const memory = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        check(memory != MAP_FAILED, "a stack can be had");
        // Its last page is never given: whoever outgrows the stack is stopped there.
        check(mprotect(memory, 4096, PROT_NONE) == 0, "a page can be guarded");
        return memory;
    }
    void* const memory = stacks.back();
    stacks.pop_back();
    return memory;
}

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(take_stack()) {
#if defined(__SANITIZE_THREAD__)
    tsan_inside_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
    check(!begun_ || ended_, "a fiber's body has ended before it dies");
#if defined(__SANITIZE_THREAD__)
    __tsan_destroy_fiber(tsan_inside_);
#endif
    free_stacks().push_back(stack_);
}

void Fiber::enter() {
    Fiber* const self = running;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &self->outside_stack_, &self->outside_size_);
#endif
    self->body_();
    self->body_ = nullptr;
    self->ended_ = true;
    self->leave();
}

void Fiber::resume() {
    check(running == nullptr && !ended_, "one fiber at a time, and none twice");
    running = this;
    const bool first = !std::exchange(begun_, true);
    if (first) {
        check(getcontext(&inside_context_) == 0, "a context can be had");
        inside_context_.uc_stack.ss_sp = stack_;
        inside_context_.uc_stack.ss_size = stack_bytes;
        inside_context_.uc_link = nullptr;
        makecontext(&inside_context_, &Fiber::enter, 0);
    }
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&outside_fake_, stack_, stack_bytes);
#endif
#if defined(__SANITIZE_THREAD__)
    tsan_outside_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(tsan_inside_, 0);
#endif
    if (sanitized) {
        (void)swapcontext(&outside_context_, &inside_context_);
    } else if (_setjmp(outside_) == 0) {
        if (first) {
            (void)setcontext(&inside_context_);
        }
        _longjmp(inside_, 1);
    }
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(outside_fake_, nullptr, nullptr);
#endif
    running = nullptr;
}

void Fiber::suspend() {
    check(running != nullptr, "only a fiber suspends");
    running->leave();
}

void Fiber::leave() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(ended_ ? nullptr : &inside_fake_, outside_stack_, outside_size_);
#endif
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(tsan_outside_, 0);
#endif
    if (sanitized) {
        (void)swapcontext(&inside_context_, &outside_context_);
    } else if (_setjmp(inside_) == 0) {
        _longjmp(outside_, 1);
    }
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(inside_fake_, &outside_stack_, &outside_size_);
#endif
}

}  // namespace sluice::sim
