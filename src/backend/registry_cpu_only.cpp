#include "backend/cpu/cpu_backend.h"
#include "backend/registry.h"

namespace glm5::backend {

std::string default_device() {
    return "cpu";
}

Result<std::unique_ptr<ops::Backend>> make_backend(const Device& device, const ops::Numerics& numerics) {
    if (device.kind != "auto" && device.kind != "cpu")
        return unsupported("--device {}: this build has the CPU backend only (supported: auto, cpu)", device.kind);
    return cpu::make_cpu_backend(numerics, device.num_threads);
}

}  // namespace glm5::backend
