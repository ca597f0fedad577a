// launch_kernel: every kernel of the backend starts through it, so that the start of one overlaps the end of the one
// before (programmatic dependent launch, CUDA programming guide).
//
// A kernel may start while its predecessor runs. So each kernel calls wait_for_previous() in every thread that reads
// what others wrote, or writes at all, before it does, and in some thread of every CTA, even of one that has nothing to
// do: then whatever ran earlier is complete when a kernel is complete. Before the wait it touches nothing but weights.
// It calls let_next_start() early; that orders no memory.
#pragma once

#include <cuda_runtime.h>

#include "backend/cuda/launch.h"

namespace glm5::cuda {

__device__ inline void wait_for_previous() {
    asm volatile("griddepcontrol.wait;" ::: "memory");
}
__device__ inline void let_next_start() {
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

struct Shape {
    dim3 grid, block;
    int shared_bytes = 0;
    int cluster = 1;  // CTAs of a cluster, along x
};

template <typename... Parameters, typename... Arguments>
void launch_kernel(const Launch& launch, const char* name, void (*kernel)(Parameters...), const Shape& shape,
                   const Arguments&... arguments) {
    // Up to 48 KiB need no leave, of which a kernel may use up to 16 KiB by declaration.
    constexpr int kSharedBytesOfAnyKernel = 32 * 1024;
    if (shape.shared_bytes > kSharedBytesOfAnyKernel)
        check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shape.shared_bytes), name);
    cudaLaunchAttribute attributes[2];
    attributes[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[0].val.programmaticStreamSerializationAllowed = 1;
    attributes[1].id = cudaLaunchAttributeClusterDimension;
    attributes[1].val.clusterDim = {static_cast<unsigned>(shape.cluster), 1, 1};
    cudaLaunchConfig_t config = {};
    config.gridDim = shape.grid;
    config.blockDim = shape.block;
    config.dynamicSmemBytes = static_cast<size_t>(shape.shared_bytes);
    config.stream = launch.stream;
    config.attrs = attributes;
    config.numAttrs = shape.cluster > 1 ? 2 : 1;
    check_cuda(cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...), name);
}

}  // namespace glm5::cuda
