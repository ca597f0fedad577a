// Numerics: which roundings a run applies. Chosen once at start; every backend implements its values alike, so that
// the CPU run in the same Numerics is the specification of a CUDA run (docs/numerics.md).
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace glm5::ops {

enum class ActivationFormat : uint8_t { f32, bf16 };  // bf16: R(…) wherever docs/model.md writes it
enum class LinearInput : uint8_t {
    unquantised,
    fp8_1x128
};  // fp8: inputs of FP8 linear layers, per token and 128 values

struct Numerics {
    ActivationFormat activation = ActivationFormat::f32;
    LinearInput linear_input = LinearInput::unquantised;
    LatentFormat latent = LatentFormat::f32;
    IndexKeyFormat index_key = IndexKeyFormat::f32;
};

}  // namespace glm5::ops
