// A few threads that take jobs in order.
#include "load/read_pool.h"

#include <algorithm>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"

namespace glm5::load {

Status run_reads(std::span<const ReadJob> jobs, int num_threads, const ReadProgress& progress) {
    GLM5_CHECK(num_threads > 0);
    std::mutex mutex;  // guards all below
    size_t next = 0, failed = jobs.size();
    Status error;
    uint64_t done_bytes = 0, total_bytes = 0;
    for (const ReadJob& job : jobs) total_bytes += job.num_bytes;

    const auto work = [&] {
        std::unique_lock lock(mutex);
        while (next < jobs.size() && error.ok()) {
            const size_t index = next++;
            lock.unlock();
            Status status = jobs[index].run();
            lock.lock();
            if (!status.ok()) {
                if (index < failed) error = std::move(status), failed = index;
                continue;
            }
            done_bytes += jobs[index].num_bytes;
            if (progress) progress(done_bytes, total_bytes);
        }
    };
    {
        std::vector<std::jthread> threads;
        const size_t helpers = std::min(static_cast<size_t>(num_threads), jobs.size());
        for (size_t i = 1; i < helpers; ++i) threads.emplace_back(work);
        work();  // the calling thread takes part
    }
    return error;
}

}  // namespace glm5::load
