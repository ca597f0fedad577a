// make_backend: the only way from a device's name to its Backend, and what devices there are. CMake compiles registry_cpu_only.cpp or
// registry_cuda.cpp.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "ops/backend.h"

namespace glm5::backend {

// What a device kind "auto" means here: cuda when this build has it and a GPU that it supports is there, else cpu.
std::string default_device();

struct Device {
    std::string kind = "auto";  // auto, cpu, cuda
    int index = 0;
    int num_threads = 0;  // CPU: 0 = all cores
};

// Errors: unsupported when this build or machine has no such device.
Result<std::unique_ptr<ops::Backend>> make_backend(const Device& device, const ops::Numerics& numerics);

}  // namespace glm5::backend
