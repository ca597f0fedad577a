// make_cuda_backend: the Backend of one NVIDIA GPU. See backend.h for what it supports.
#pragma once

#include <memory>

#include "base/status.h"
#include "ops/backend.h"

namespace glm5::cuda {

// Whether there is a device `index` that this backend supports.
bool has_cuda_device(int index);

// Errors: unsupported when there is no device `index`, when this build has no code for its compute capability, or for
// Numerics that only the CPU has: activations are bf16, inputs of FP8 layers FP8, latents bf16 or fp8_ds_mla, index
// keys e4m3.
Result<std::unique_ptr<ops::Backend>> make_cuda_backend(const ops::Numerics& numerics, int index);

}  // namespace glm5::cuda
