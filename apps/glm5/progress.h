// Progress of a load: a bar on a terminal, a log line every few seconds otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace glm5 {

class LoadProgress {
public:
    LoadProgress();

    // Called as bytes arrive, by one thread.
    void update(int64_t loaded_bytes, int64_t total_bytes);
    // The end: removes the bar, logs the time and returns it, in seconds.
    double finish();

private:
    using Clock = std::chrono::steady_clock;

    const bool terminal_;
    const Clock::time_point start_ = Clock::now();
    Clock::time_point shown_ = start_;
    int64_t loaded_bytes_ = 0;
    bool bar_shown_ = false;
};

// "27.9 MB", "1.2 GB".
std::string bytes_text(int64_t bytes);

}  // namespace glm5
