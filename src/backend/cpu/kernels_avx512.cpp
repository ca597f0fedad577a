// The kernels for AVX-512.
#include "backend/cpu/kernels.h"
#include "backend/cpu/simd/avx512.h"

namespace glm5::cpu::avx512 {
#include "backend/cpu/kernels/table.inc"
}  // namespace glm5::cpu::avx512
