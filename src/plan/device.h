// Device: the memory that a plan fills and the rate at which it is read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace glm5::plan {

enum class DeviceKind : uint8_t { cpu, gpu };

struct Device {
    std::string name;
    DeviceKind kind = DeviceKind::gpu;
    int64_t memory_bytes = 0;
    double bytes_per_second = 0;  // of its memory, by the data sheet; 0: not known
};

// The GPUs that a plan can be made for by name.
const std::vector<Device>& known_gpus();
// Upper and lower case alike; none for another name.
std::optional<Device> find_gpu(std::string_view name);

// Memory of this machine that the process may use: what is built in, or the limit of its control group when that is
// less.
int64_t host_memory_bytes();

}  // namespace glm5::plan
