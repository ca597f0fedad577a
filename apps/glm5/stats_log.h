// StatsLog: the line about throughput and load that `glm5 serve` writes every ten seconds.
#pragma once

#include <chrono>

#include "glm5/engine.h"

namespace glm5 {

class StatsLog {
public:
    static constexpr std::chrono::seconds kInterval{10};

    // `engine` must outlive this.
    explicit StatsLog(const Engine& engine);

    // Rates are of the time since the line before. At debug level when nothing happened.
    void write();

private:
    using Clock = std::chrono::steady_clock;

    const Engine& engine_;
    EngineStats last_;
    Clock::time_point last_time_ = Clock::now();
};

}  // namespace glm5
