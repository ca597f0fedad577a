#include "plan/device.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>

namespace glm5::plan {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr double kTerabyte = 1e12;

}  // namespace

// Memory is what a program may take in all (cudaMemGetInfo), read on an H100 80GB HBM3 and an H200; that of a B200 is
// published, not read.
const std::vector<Device>& known_gpus() {
    static const std::vector<Device> gpus = {
        {.name = "h100", .memory_bytes = 85'017'493'504, .bytes_per_second = 3.35 * kTerabyte},
        {.name = "h200", .memory_bytes = 150'109'880'320, .bytes_per_second = 4.8 * kTerabyte},
        {.name = "b200", .memory_bytes = 182631 * kMiB, .bytes_per_second = 8.0 * kTerabyte},
    };
    return gpus;
}

std::optional<Device> find_gpu(std::string_view name) {
    std::string lower(name);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto found = std::ranges::find(known_gpus(), lower, &Device::name);
    return found == known_gpus().end() ? std::nullopt : std::optional(*found);
}

int64_t host_memory_bytes() {
    int64_t bytes = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
    std::ifstream limit("/sys/fs/cgroup/memory.max");  // "max" when there is none
    if (int64_t allowed = 0; limit >> allowed && allowed > 0) bytes = std::min(bytes, allowed);
    return bytes;
}

}  // namespace glm5::plan
