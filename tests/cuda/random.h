// Random: numbers for tests, fast enough to fill matrices of real size.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "ops/sampling_math.h"

namespace glm5::cuda_test {

class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}

    uint64_t bits() { return ops::splitmix64(state_++); }
    int below(int count) { return static_cast<int>(bits() % static_cast<uint64_t>(count)); }
    float uniform(float low, float high) {
        return low + (high - low) * static_cast<float>(bits() >> 40) * 0x1p-24f;
    }
    // One of 65536 normally distributed values.
    float normal() { return normals()[bits() >> 48]; }

    // The values that normal() draws from.
    static const std::vector<float>& normals() {
        static const std::vector<float> values = [] {
            std::mt19937 generator(1);
            std::normal_distribution<float> normal;
            std::vector<float> result(65536);
            for (float& value : result) value = normal(generator);
            return result;
        }();
        return values;
    }

private:
    uint64_t state_;
};

}  // namespace glm5::cuda_test
