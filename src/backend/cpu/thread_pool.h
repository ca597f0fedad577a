// ThreadPool: runs the tasks of one parallel region at a time on a fixed set of threads, the caller among them.
//
// Tasks are claimed one by one, so which thread runs a task is left open; a body must compute the same wherever it
// runs. Workers spin for some tens of microseconds after a region, since a decode step has dozens in a row, then sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace glm5::cpu {

class ThreadPool {
public:
    explicit ThreadPool(int num_threads);  // ≥ 1, the caller included
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int num_threads() const { return static_cast<int>(workers_.size()) + 1; }

    // Calls body(task, thread) for every task in [0, count), 0 ≤ thread < num_threads, and returns when all are done.
    // To be called by one thread at a time, and not from a body.
    template <typename Body>
    void run(int64_t count, Body&& body) {
        if (count <= 1 || workers_.empty()) {
            for (int64_t task = 0; task < count; ++task) body(task, 0);
            return;
        }
        using Plain = std::remove_reference_t<Body>;
        run_shared(
            count, [](void* context, int64_t task, int thread) { (*static_cast<Plain*>(context))(task, thread); },
            const_cast<std::remove_const_t<Plain>*>(&body));
    }

private:
    using Function = void (*)(void* context, int64_t task, int thread);

    void run_shared(int64_t count, Function function, void* context);
    void work(int thread);
    bool run_one(uint64_t& ticket, int thread);

    // Region number in the upper half, unclaimed tasks in the lower. Whoever lowers it owns a task of that region, so
    // the region's fields stay as they are until that task is counted in done_.
    alignas(64) std::atomic<uint64_t> ticket_{0};
    alignas(64) std::atomic<int64_t> done_{0};
    alignas(64) int64_t count_ = 0;
    Function function_ = nullptr;
    void* context_ = nullptr;
    std::atomic<bool> stop_{false};
    std::vector<std::thread> workers_;
};

}  // namespace glm5::cpu
