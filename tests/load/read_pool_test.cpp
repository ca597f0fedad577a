// Read jobs: all run once, few at a time, the earliest error is kept, progress ends at the total.
#include "load/read_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace glm5::load {
namespace {

TEST(ReadPool, RunsEachJobOnceWithBoundedThreads) {
    for (int threads : {1, 3, 64}) {
        std::atomic<int> running{0}, most{0};
        std::vector<std::atomic<int>> runs(40);
        std::vector<ReadJob> jobs;
        for (size_t i = 0; i < runs.size(); ++i) {
            jobs.push_back({.num_bytes = i, .run = [&, i] {
                                const int now = ++running;
                                for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {}
                                std::this_thread::sleep_for(std::chrono::microseconds(200));
                                ++runs[i];
                                --running;
                                return Status();
                            }});
        }
        std::vector<uint64_t> done;
        const Status status = run_reads(jobs, threads, [&](uint64_t done_bytes, uint64_t total_bytes) {
            EXPECT_EQ(total_bytes, 39u * 40 / 2);
            done.push_back(done_bytes);
        });
        EXPECT_TRUE(status.ok());
        for (const auto& count : runs) EXPECT_EQ(count, 1);
        EXPECT_LE(most, threads);
        EXPECT_EQ(done.size(), jobs.size());
        EXPECT_EQ(done.back(), 39u * 40 / 2);
        EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
    }
}

TEST(ReadPool, TheEarliestErrorWinsAndStopsTheRest) {
    std::atomic<int> started{0};
    std::vector<ReadJob> jobs;
    for (int i = 0; i < 1000; ++i) {
        jobs.push_back({.num_bytes = 1, .run = [&, i]() -> Status {
                            ++started;
                            // Job 3 fails first; job 2, which runs beside it, later. The others are slow enough not
                            // to be through all before the threads of those two run again.
                            if (i != 3) std::this_thread::sleep_for(std::chrono::milliseconds(i == 2 ? 30 : 5));
                            return i == 2 || i == 3 ? io_error("job {}", i) : Status();
                        }});
    }
    const Status status = run_reads(jobs, 4);
    EXPECT_EQ(status.message(), "job 2");
    EXPECT_LT(started, 1000);
}

TEST(ReadPool, NothingToDo) {
    EXPECT_TRUE(run_reads({}, 4).ok());
}

}  // namespace
}  // namespace glm5::load
