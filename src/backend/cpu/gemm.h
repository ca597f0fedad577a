// Matrix products of the CPU backend: packed weights, and lists of products that run as one parallel region.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/cpu/buffer.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/thread_pool.h"
#include "ops/weights.h"

namespace glm5::cpu {

// Packed weights: for each matrix, panels of 64 outputs [ceil(out / 64)][in][64], padded with zeros, and for FP8 one
// scale per panel and block of 128 inputs [ceil(out / 64)][ceil(in / 128)].
inline int64_t num_panels(int64_t out_features) {
    return (out_features + kPanelColumns - 1) / kPanelColumns;
}
inline int64_t num_blocks(int64_t in_features) {
    return (in_features + kBlock - 1) / kBlock;
}
//
// FP8 weights stay e4m3, unless some are NaN: the kernels read those as bf16 only.
DType packed_dtype(std::span<const ops::HostMatrixView> matrices);
void pack_weight(const ops::HostMatrixView& matrix, DType dtype, void* packed);
void pack_scales(const ops::HostMatrixView& matrix, float* packed);

// out[m] = W · x[row m] for one matrix of a Linear.
struct GemmJob {
    const ops::Linear* weight = nullptr;
    int64_t matrix = 0;  // of weight.batch
    int64_t rows = 0;
    const float* x = nullptr;
    int64_t x_stride = 0;
    const int32_t* x_rows = nullptr;  // [rows] which row of x each is; null: row m
    const float* x_scales = nullptr;  // per row of x and block of 128 inputs, [x rows, num_blocks]; null: ones
    float* out = nullptr;
    int64_t out_stride = 0;
    bool round = false;  // to bf16
};

// Runs jobs on all threads; each value is computed by one of them.
class GemmRunner {
public:
    GemmRunner(const Kernels& kernels, ThreadPool& pool);

    void run(std::span<const GemmJob> jobs);
    void run(const GemmJob& job) { run(std::span(&job, 1)); }

    int64_t scratch_bytes() const { return static_cast<int64_t>(scratch_.size() * sizeof(GemmScratch)); }

private:
    void run_task(const GemmJob& job, int64_t task, int64_t rows_per_task, int thread);

    const Kernels& kernels_;
    ThreadPool& pool_;
    std::vector<Buffer> scratch_;      // of each thread
    std::vector<int64_t> first_task_;  // of each job in a run
    std::vector<int64_t> task_rows_;
};

}  // namespace glm5::cpu
