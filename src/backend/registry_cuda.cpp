#include "backend/cpu/cpu_backend.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/registry.h"

namespace glm5::backend {

std::string default_device() {
    return cuda::has_cuda_device(0) ? "cuda" : "cpu";
}

Result<std::unique_ptr<ops::Backend>> make_backend(const Device& device, const ops::Numerics& numerics) {
    const std::string kind = device.kind == "auto" ? default_device() : device.kind;
    if (kind == "cuda") return cuda::make_cuda_backend(numerics, device.index);
    if (kind == "cpu") return cpu::make_cpu_backend(numerics, device.num_threads);
    return unsupported("--device {}: supported are auto, cpu and cuda", device.kind);
}

}  // namespace glm5::backend
