// Heartbeat: tells an engine that hangs in a step from one that has nothing to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace glm5::api {

class Heartbeat {
public:
    using TimePoint = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::seconds kLimit{30};

    // A step has ended. Any thread.
    void beat() {
        const std::lock_guard lock(mutex_);
        ++num_beats_;
    }

    // Whether calls with `busy` have seen no beat for kLimit. Any thread.
    bool stalled(bool busy, TimePoint now) {
        const std::lock_guard lock(mutex_);
        if (!busy || num_beats_ != seen_beats_ || !watching_) {
            watching_ = busy;
            seen_beats_ = num_beats_;
            since_ = now;
        }
        return now - since_ > kLimit;
    }

private:
    std::mutex mutex_;
    uint64_t num_beats_ = 0;
    uint64_t seen_beats_ = 0;
    bool watching_ = false;
    TimePoint since_;  // the first call with `busy` that saw this number of beats
};

}  // namespace glm5::api
