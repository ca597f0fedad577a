// What benches of CUDA kernels share: random device memory, and the time of calls in a CUDA graph.
#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "backend/cuda/launch.h"

namespace glm5::cuda_bench {

// Device memory, given back at the end of a case.
class Memory {
public:
    Memory() = default;
    ~Memory() {
        for (void* block : blocks_) cudaFree(block);
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    template <typename T>
    T* array(int64_t count) {
        void* block = nullptr;
        cuda::check_cuda(cudaMalloc(&block, count * sizeof(T)), "cudaMalloc");
        blocks_.push_back(block);
        return static_cast<T*>(block);
    }
    template <typename T>
    T* upload(const std::vector<T>& values) {
        T* block = array<T>(std::ssize(values));
        cuda::check_cuda(cudaMemcpy(block, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), "upload");
        return block;
    }
    // `count` bytes, repeated from a block of them.
    std::byte* repeat(const std::vector<uint8_t>& block, int64_t count) {
        auto* memory = array<std::byte>(count);
        for (int64_t at = 0; at < count; at += std::ssize(block))
            cuda::check_cuda(cudaMemcpy(memory + at, block.data(), std::min<int64_t>(count - at, std::ssize(block)),
                                        cudaMemcpyHostToDevice),
                             "upload");
        return memory;
    }
    // Normally distributed, with a period of 2^20.
    float* floats(int64_t count, float scale = 1) {
        std::vector<float> values(count);
        for (int64_t i = 0; i < count; ++i) values[i] = normals()[i % kPeriod] * scale;
        return upload(values);
    }
    cuda::bf16* halves(int64_t count) {
        std::vector<cuda::bf16> values(count);
        for (int64_t i = 0; i < count; ++i)
            values[i] = i < kPeriod ? __float2bfloat16(normals()[i]) : values[i - kPeriod];
        return upload(values);
    }

private:
    static constexpr int64_t kPeriod = int64_t{1} << 20;
    static const std::vector<float>& normals() {
        static const std::vector<float> values = [] {
            std::mt19937 generator(1);
            std::normal_distribution<float> normal;
            std::vector<float> result(kPeriod);
            for (float& value : result) value = normal(generator);
            return result;
        }();
        return values;
    }

    std::vector<void*> blocks_;
};

// Median µs of one of `calls` calls, numbered from 0, so that each can have data of its own.
inline double measure(const cuda::Launch& launch, int calls, const std::function<void(int)>& call) {
    using cuda::check_cuda;
    call(0);
    check_cuda(cudaStreamSynchronize(launch.stream), "a kernel");
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    check_cuda(cudaStreamBeginCapture(launch.stream, cudaStreamCaptureModeThreadLocal), "capture");
    for (int i = 0; i < calls; ++i) call(i);
    check_cuda(cudaStreamEndCapture(launch.stream, &graph), "capture");
    check_cuda(cudaGraphInstantiate(&executable, graph, 0), "instantiate");
    cudaEvent_t begin, end;
    check_cuda(cudaEventCreate(&begin), "event");
    check_cuda(cudaEventCreate(&end), "event");
    std::vector<double> times;
    for (int replay = 0; replay < 17; ++replay) {
        check_cuda(cudaEventRecord(begin, launch.stream), "record");
        check_cuda(cudaGraphLaunch(executable, launch.stream), "launch");
        check_cuda(cudaEventRecord(end, launch.stream), "record");
        check_cuda(cudaStreamSynchronize(launch.stream), "replay");
        float ms = 0;
        check_cuda(cudaEventElapsedTime(&ms, begin, end), "time");
        if (replay >= 2) times.push_back(ms * 1e3 / calls);
    }
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
    cudaGraphExecDestroy(executable);
    cudaGraphDestroy(graph);
    std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
    return times[times.size() / 2];
}

}  // namespace glm5::cuda_bench
