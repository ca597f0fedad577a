// What every kernel launch needs, without a header of the ops: .cu files see plain pointers and sizes only (nvcc cannot
// compile fmt), and the .cpp files beside them translate ops' arguments.
//
// Rules of every launch function: it checks nothing but the launch, allocates nothing, and is ordered in `stream`.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <cstdint>

namespace glm5::cuda {

using bf16 = __nv_bfloat16;

struct Launch {
    cudaStream_t stream = nullptr;
    int num_sms = 0;
    int architecture = 0;  // compute capability: 90 for 9.0, 100, 120
};

// Throws ops::DeviceFault with the name of the kernel or call when `error` is one.
void check_cuda(cudaError_t error, const char* what);
// After a launch.
inline void check_launch(const char* kernel) {
    check_cuda(cudaGetLastError(), kernel);
}

// On the host and on the device.
constexpr int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}
constexpr int64_t round_up(int64_t a, int64_t b) {
    return ceil_div(a, b) * b;
}

}  // namespace glm5::cuda
