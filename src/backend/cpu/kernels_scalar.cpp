// The kernels for any machine.
#include "backend/cpu/kernels.h"
#include "backend/cpu/simd/scalar.h"

namespace glm5::cpu::scalar {
#include "backend/cpu/kernels/table.inc"
}  // namespace glm5::cpu::scalar
