// Floats as unsigned integers in the same order, for searches by radix and maxima by one comparison.
#pragma once

#include <cstdint>

namespace glm5::cuda {

// a < b exactly if order_key(a) < order_key(b), for all but NaN; both zeros have one key. -inf has the least, above 0.
__device__ inline uint32_t order_key(float value) {
    const uint32_t bits = __float_as_uint(value + 0.0f);  // -0 becomes +0
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// The value of a key.
__device__ inline float order_value(uint32_t key) {
    return __uint_as_float(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}

}  // namespace glm5::cuda
