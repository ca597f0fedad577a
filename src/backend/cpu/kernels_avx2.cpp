// The kernels for AVX2 with FMA.
#include "backend/cpu/kernels.h"
#include "backend/cpu/simd/avx2.h"

namespace glm5::cpu::avx2 {
#include "backend/cpu/kernels/table.inc"
}  // namespace glm5::cpu::avx2
