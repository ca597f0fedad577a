// The thread pool: every task runs once, in one region after another, also after the workers fell asleep.
#include "backend/cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <vector>

namespace glm5::cpu {
namespace {

TEST(ThreadPool, RunsEveryTaskOnce) {
    for (int threads : {1, 2, 3, 8}) {
        ThreadPool pool(threads);
        EXPECT_EQ(pool.num_threads(), threads);
        for (int64_t count = 0; count < 300; ++count) {
            std::vector<std::atomic<int>> runs(count);
            pool.run(count, [&](int64_t task, int thread) {
                EXPECT_TRUE(thread >= 0 && thread < threads);
                runs[task].fetch_add(1);
            });
            for (const auto& run : runs) ASSERT_EQ(run.load(), 1);
        }
    }
}

TEST(ThreadPool, SeesWhatTheRegionBeforeWrote) {
    ThreadPool pool(3);
    std::vector<int64_t> even(64, 0), odd(64, 0);
    for (int64_t region = 0; region < 5000; ++region) {  // each task reads what another wrote
        pool.run(64, [&](int64_t task, int) { odd[task] = even[63 - task] + 1; });
        pool.run(64, [&](int64_t task, int) { even[task] = odd[63 - task] + 1; });
    }
    for (int64_t value : even) EXPECT_EQ(value, 10000);
}

TEST(ThreadPool, WakesSleepingWorkers) {
    ThreadPool pool(2);
    for (int i = 0; i < 5; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        // Each task waits for the other, so two threads must be there.
        std::atomic<int> arrived{0};
        pool.run(2, [&](int64_t, int) {
            arrived.fetch_add(1);
            while (arrived.load() < 2) std::this_thread::yield();
        });
        EXPECT_EQ(arrived.load(), 2);
    }
}

TEST(ThreadPool, StopsIdleAtOnce) {
    for (int i = 0; i < 50; ++i) ThreadPool pool(4);
}

}  // namespace
}  // namespace glm5::cpu
