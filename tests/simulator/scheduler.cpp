#include "simulator/scheduler.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace sluice::sim {

void Scheduler::at(Time when, std::function<void()> what) {
    events_.push_back({std::max(when, now_), ++sequence_, std::move(what)});
    std::push_heap(events_.begin(), events_.end());
}

void Scheduler::deliver(Wait wait, Process& process, std::function<void()> what) {
    in(wait, [this, &process, what = std::move(what)]() mutable {
        if (process.alive && process.frozen_until > now_) {
            deliver(process.frozen_until - now_, process, std::move(what));
            return;
        }
        what();
    });
}

std::shared_ptr<Task> Scheduler::spawn(Process& process, std::function<void()> body) {
    const auto task = std::make_shared<Task>(process);
    task->fiber = std::make_unique<Fiber>([&thread = *task, body = std::move(body)] {
        try {
            if (!thread.killed) {
                body();
            }
        } catch (const Killed&) {
        }
    });
    process.tasks.push_back(task);
    waiting_.push_back(task);
    wake_at(*task, now_);
    return task;
}

bool Scheduler::ended(const Task* task) const {
    return std::ranges::find(waiting_, task, &std::shared_ptr<Task>::get) == waiting_.end();
}

void Scheduler::wake_at(Task& task, Time when) {
    task.wake = ++wakes_;
    const auto shared = std::ranges::find(task.process.tasks, &task, &std::shared_ptr<Task>::get);
    check(shared != task.process.tasks.end(), "a task is its process's");
    at(when, [this, task = *shared, wake = task.wake] {
        Process& process = task->process;
        if (task->wake != wake || !process.alive || task->fiber->ended()) {
            return;
        }
        if (process.frozen_until > now_) {
            wake_at(*task, process.frozen_until);
            return;
        }
        resume(*task);
    });
}

void Scheduler::resume(Task& task) {
    current_ = &task;
    task.fiber->resume();
    current_ = nullptr;
    if (task.fiber->ended()) {
        std::erase_if(waiting_, [&](const auto& other) { return other.get() == &task; });
        notify(&task);
    }
}

void Scheduler::suspend() {
    Task& task = *current_;
    Fiber::suspend();
    if (task.killed) {
        throw Killed{};
    }
}

void Scheduler::sleep(Wait wait) {
    if (past()) {
        return;
    }
    wake_at(*current_, now_ + wait);
    suspend();
}

bool Scheduler::wait(const void* address, Time until) {
    if (past()) {
        return false;
    }
    Task& task = *current_;
    task.waits_for = address;
    task.notified = false;
    if (until != Time::max()) {
        wake_at(task, until);
    } else {
        task.wake = ++wakes_;
    }
    suspend();
    task.waits_for = nullptr;
    return task.notified;
}

void Scheduler::notify(const void* address) {
    for (const auto& task : waiting_) {
        if (task->waits_for == address && !task->notified) {
            task->notified = true;
            wake_at(*task, now_);
        }
    }
}

void Scheduler::kill(Process& process) {
    check(current_ == nullptr, "a process is killed between two events");
    process.alive = false;
    // The last thread first: the one that started it may wait for its end.
    while (!process.tasks.empty()) {
        const auto task = process.tasks.back();
        process.tasks.pop_back();
        if (!task->fiber->ended()) {
            task->killed = true;
            resume(*task);
            check(task->fiber->ended(), "what is killed ends");
        }
    }
}

void Scheduler::freeze(Process& process, Wait wait) {
    process.frozen_until = std::max(process.frozen_until, now_ + wait);
}

void Scheduler::step() {
    std::pop_heap(events_.begin(), events_.end());
    Event event = std::move(events_.back());
    events_.pop_back();
    now_ = event.when;
    event.what();
}

bool Scheduler::run(const std::function<bool()>& done, Time limit) {
    while (!done()) {
        if (events_.empty() || events_.front().when > limit) {
            return false;
        }
        step();
    }
    return true;
}

void Scheduler::run_out(Time limit) {
    while (!events_.empty() && events_.front().when <= limit) {
        step();
    }
}

}  // namespace sluice::sim
