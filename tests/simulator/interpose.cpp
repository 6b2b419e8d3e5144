// The standard library's clock, threads, waits and randomness, as the simulated processes have
// them. These definitions come before the library's own when the program is linked, so that the
// objects of src/ are the ones that ship. (libstdc++ and glibc; see docs/decisions/0008.)
#include <pthread.h>
#include <sys/types.h>
#include <time.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <future>
#include <random>
#include <thread>

#include "base/check.hpp"
#include "simulator/world.hpp"

namespace {

using sluice::sim::Scheduler;
using sluice::sim::Task;
using sluice::sim::Time;
using sluice::sim::Wait;

Scheduler* scheduler() { return sluice::sim::world ? &sluice::sim::world->scheduler : nullptr; }

Time real_now() {
    timespec now{};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return Time(std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec});
}

Time to_time(const timespec& at) {
    return Time(std::chrono::seconds{at.tv_sec} + std::chrono::nanoseconds{at.tv_nsec});
}

}  // namespace

namespace std {

chrono::steady_clock::time_point chrono::steady_clock::now() noexcept {
    return scheduler() ? scheduler()->now() : real_now();
}

// Begins on some day of 2023.
chrono::system_clock::time_point chrono::system_clock::now() noexcept {
    timespec real{};
    (void)clock_gettime(CLOCK_REALTIME, &real);
    const auto since = scheduler()
                           ? chrono::seconds{1'699'999'000} +
                                 chrono::nanoseconds{scheduler()->now().time_since_epoch()}
                           : chrono::seconds{real.tv_sec} + chrono::nanoseconds{real.tv_nsec};
    return time_point(since);
}

// A simulated thread's handle is its task.
void thread::_M_start_thread(_State_ptr state, void (*)()) {
    sluice::check(scheduler() != nullptr, "threads are started within a history");
    auto* const running = scheduler()->current();
    auto& process = running != nullptr ? running->process : *sluice::sim::starting_process;
    const auto task = scheduler()->spawn(
        process, [body = shared_ptr<_State>(std::move(state))] { body->_M_run(); });
    _M_id = id(reinterpret_cast<native_handle_type>(task.get()));
}

void thread::join() {
    auto* const task = reinterpret_cast<Task*>(_M_id._M_thread);
    _M_id = id();
    // Where nothing can be waited for, a process was killed, and its threads before their starter.
    while (task != nullptr && !scheduler()->past() && !scheduler()->ended(task)) {
        (void)scheduler()->wait(task, Time::max());
    }
}

void condition_variable::notify_all() noexcept { scheduler()->notify(this); }
void condition_variable::notify_one() noexcept { scheduler()->notify(this); }

void random_device::_M_init(const string&) {}
void random_device::_M_fini() {}
random_device::result_type random_device::_M_getval() {
    return static_cast<result_type>(sluice::sim::world->random.next());
}

// What a future waits on.
bool __atomic_futex_unsigned_base::_M_futex_wait_until_steady(unsigned* address, unsigned value,
                                                              bool has_timeout,
                                                              chrono::seconds seconds,
                                                              chrono::nanoseconds nanos) {
    const Time until = has_timeout ? Time(seconds + nanos) : Time::max();
    if (*address != value) {
        return true;
    }
    return scheduler()->wait(address, until);
}
void __atomic_futex_unsigned_base::_M_futex_notify_all(unsigned* address) {
    scheduler()->notify(address);
}

}  // namespace std

extern "C" {

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t,
                           const timespec* until) {
    (void)pthread_mutex_unlock(mutex);
    struct Relock {
        pthread_mutex_t* mutex;
        ~Relock() { (void)pthread_mutex_lock(mutex); }
    } const relock{mutex};
    return scheduler()->wait(condition, to_time(*until)) ? 0 : ETIMEDOUT;
}

int nanosleep(const timespec* wait, timespec*) {
    scheduler()->sleep(std::chrono::seconds{wait->tv_sec} +
                       std::chrono::nanoseconds{wait->tv_nsec});
    return 0;
}

int pthread_setname_np(pthread_t, const char*) { return 0; }

}  // extern "C"
