#include "backend/cpu/thread_pool.h"

#include "base/check.h"

namespace glm5::cpu {
namespace {

constexpr int kSpins = 2000;  // about 40 µs
constexpr uint64_t kTasksMask = 0xffffffff;

void pause() {
    __builtin_ia32_pause();
}

}  // namespace

ThreadPool::ThreadPool(int num_threads) {
    GLM5_CHECK(num_threads >= 1, "{}", num_threads);
    for (int thread = 1; thread < num_threads; ++thread) workers_.emplace_back([this, thread] { work(thread); });
}

ThreadPool::~ThreadPool() {
    stop_.store(true);
    ticket_.fetch_add(kTasksMask + 1);
    ticket_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

// Claims and runs one task; false when none is left. `ticket` is what was last seen of ticket_.
bool ThreadPool::run_one(uint64_t& ticket, int thread) {
    do {
        if ((ticket & kTasksMask) == 0) return false;
    } while (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel, std::memory_order_acquire));
    function_(context_, count_ - static_cast<int64_t>(ticket & kTasksMask), thread);
    done_.fetch_add(1, std::memory_order_release);
    ticket = ticket_.load(std::memory_order_acquire);
    return true;
}

void ThreadPool::run_shared(int64_t count, Function function, void* context) {
    GLM5_CHECK(count <= static_cast<int64_t>(kTasksMask), "{} tasks", count);
    count_ = count;
    function_ = function;
    context_ = context;
    done_.store(0, std::memory_order_relaxed);
    const uint64_t region = (ticket_.load(std::memory_order_relaxed) & ~kTasksMask) + kTasksMask + 1;
    uint64_t ticket = region | static_cast<uint64_t>(count);
    ticket_.store(ticket, std::memory_order_release);
    ticket_.notify_all();
    while (run_one(ticket, 0)) {}
    for (int spins = 0; done_.load(std::memory_order_acquire) != count; ++spins) {
        if (spins < kSpins)
            pause();
        else
            std::this_thread::yield();  // the thread that holds the last task is not running
    }
}

void ThreadPool::work(int thread) {
    while (true) {
        uint64_t ticket = ticket_.load(std::memory_order_acquire);
        for (int spins = 0; (ticket & kTasksMask) == 0 && spins < kSpins; ++spins) {
            pause();
            ticket = ticket_.load(std::memory_order_acquire);
        }
        if (stop_.load(std::memory_order_relaxed)) return;
        if ((ticket & kTasksMask) == 0) {
            ticket_.wait(ticket);
            continue;
        }
        while (run_one(ticket, thread)) {}
    }
}

}  // namespace glm5::cpu
