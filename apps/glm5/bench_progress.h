// Ctrl-C as a question that can be asked, and the bar of a benchmark.
#pragma once

#include <chrono>

#include "loadgen/benchmark.h"

namespace glm5 {

// While one lives, the first SIGINT or SIGTERM only answers pressed(); the next one ends the program. Only one at a
// time.
class Interrupt {
public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    static bool pressed();
};

// A line on a terminal, on standard error; nothing elsewhere.
class BenchBar {
public:
    explicit BenchBar(bool wanted);

    void update(const loadgen::Progress& progress);
    // Removes it.
    void finish();

private:
    const bool shown_;
    bool drawn_ = false;
    int64_t last_messages_ = 0;
    double last_s_ = 0, messages_per_s_ = 0;
};

}  // namespace glm5
