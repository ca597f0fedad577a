// Runs read jobs on a few threads: as many in flight as threads, the first error wins, progress is reported.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/status.h"

namespace glm5::load {

struct ReadJob {
    uint64_t num_bytes = 0;       // what it counts in the progress
    std::function<Status()> run;  // called once, on any of the threads
};

// (bytes done, bytes in all); called after each job, never by two threads at once.
using ReadProgress = std::function<void(uint64_t done_bytes, uint64_t total_bytes)>;

// Starts the jobs in order. After an error no further job starts; the error of the earliest failed job is returned once
// all running ones have ended.
Status run_reads(std::span<const ReadJob> jobs, int num_threads, const ReadProgress& progress = {});

}  // namespace glm5::load
