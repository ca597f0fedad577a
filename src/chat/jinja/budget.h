// What one render may cost. A template is input: each bound turns endless work into an error.
#pragma once

#include <cstddef>
#include <cstdint>

#include "chat/jinja/error.h"

namespace glm5::chat::jinja {

struct Limits {
    int64_t steps = 50'000'000;                  // nodes evaluated, loop iterations, and characters looked at / 16
    int64_t allocated_bytes = int64_t{1} << 30;  // strings, lists and mappings made, whether or not they still live
    int64_t output_bytes = int64_t{64} << 20;
    int64_t range_items = 100'000;  // of one range(), as Jinja's sandbox
    int macro_depth = 200;
    int evaluation_depth = 1'500;  // nodes being evaluated inside one another
};

// Lists and mappings inside one another; bounds every recursion over a value, its destruction included.
constexpr int kMaxValueDepth = 400;

class Budget {
public:
    explicit Budget(const Limits& limits)
        : limits_(limits), steps_left_(limits.steps), bytes_left_(limits.allocated_bytes) {}

    const Limits& limits() const { return limits_; }

    void step() {
        if (--steps_left_ < 0) fail("the template runs for more than {} steps", limits_.steps);
    }
    // For work over `bytes` characters of text or `bytes` list items.
    void scan(size_t bytes) {
        steps_left_ -= static_cast<int64_t>(bytes / 16);
        step();
    }
    void allocate(size_t bytes) {
        bytes_left_ -= static_cast<int64_t>(bytes);
        if (bytes_left_ < 0) fail("the template makes values of more than {} bytes", limits_.allocated_bytes);
    }
    // Before something of count × bytes is made.
    void allocate(size_t count, size_t bytes) {
        if (bytes != 0 && count > static_cast<size_t>(limits_.allocated_bytes) / bytes) allocate(size_t{1} << 62);
        allocate(count * bytes);
    }

private:
    Limits limits_;
    int64_t steps_left_;
    int64_t bytes_left_;
};

}  // namespace glm5::chat::jinja
