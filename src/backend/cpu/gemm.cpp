#include "backend/cpu/gemm.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/dtype.h"

namespace glm5::cpu {
namespace {

PanelFormat panel_format(DType dtype) {
    switch (dtype) {
        case DType::f32: return PanelFormat::f32;
        case DType::bf16: return PanelFormat::bf16;
        default: return PanelFormat::e4m3;
    }
}

// packed[panel][k][column] = matrix[64 · panel + column][k].
template <typename Stored, typename Packed, typename Convert>
void pack(const ops::HostMatrixView& matrix, Packed* packed, Convert convert) {
    constexpr int64_t kStep = 64;  // inputs at a time: the panel part and the rows stay in the cache
    const int64_t in = matrix.in_features;
    for (int64_t panel = 0; panel < num_panels(matrix.out_features); ++panel) {
        Packed* out = packed + panel * in * kPanelColumns;
        for (int64_t begin = 0; begin < in; begin += kStep) {
            const int64_t end = std::min(in, begin + kStep);
            for (int64_t column = 0; column < kPanelColumns; ++column) {
                const int64_t row = panel * kPanelColumns + column;
                const std::byte* source = matrix.weight + row * in * static_cast<int64_t>(sizeof(Stored));
                for (int64_t k = begin; k < end; ++k) {
                    Stored value{};
                    if (row < matrix.out_features) std::memcpy(&value, source + k * sizeof(Stored), sizeof(Stored));
                    out[k * kPanelColumns + column] = convert(value);
                }
            }
        }
    }
}

bool has_nan_codes(const ops::HostMatrixView& matrix) {
    const int64_t count = matrix.out_features * matrix.in_features;
    return std::any_of(matrix.weight, matrix.weight + count,
                       [](std::byte code) { return (code & std::byte{0x7f}) == std::byte{0x7f}; });
}

// Row chunks: as many as keep all threads busy, each as large as gemm_panel takes.
int64_t rows_per_task(const GemmJob& job, int num_threads) {
    const int64_t panels = num_panels(job.weight->out_features);
    const int64_t wanted_tasks = 4 * num_threads;
    const int64_t chunks = std::max<int64_t>(1, (wanted_tasks + panels - 1) / panels);
    constexpr int64_t kFewestRows = 48;  // below, expanding a panel costs more than an idle thread
    const int64_t rows = std::max(kFewestRows, (job.rows + chunks - 1) / chunks);
    return std::min<int64_t>(kMaxGemmRows, (rows + 5) / 6 * 6);
}

}  // namespace

DType packed_dtype(std::span<const ops::HostMatrixView> matrices) {
    switch (matrices[0].format) {
        case ops::WeightFormat::f32: return DType::f32;
        case ops::WeightFormat::bf16: return DType::bf16;
        case ops::WeightFormat::fp8_block128:
            return std::any_of(matrices.begin(), matrices.end(), has_nan_codes) ? DType::bf16 : DType::f8_e4m3;
    }
    return DType::f32;
}

void pack_weight(const ops::HostMatrixView& matrix, DType dtype, void* packed) {
    const auto keep = [](auto value) { return value; };
    if (matrix.format == ops::WeightFormat::f32) return pack<uint32_t>(matrix, static_cast<uint32_t*>(packed), keep);
    if (matrix.format == ops::WeightFormat::bf16) return pack<uint16_t>(matrix, static_cast<uint16_t*>(packed), keep);
    if (dtype == DType::f8_e4m3) return pack<uint8_t>(matrix, static_cast<uint8_t*>(packed), keep);
    pack<uint8_t>(matrix, static_cast<uint16_t*>(packed), [](uint8_t code) { return f32_to_bf16(e4m3_to_f32(code)); });
}

void pack_scales(const ops::HostMatrixView& matrix, float* packed) {
    const int64_t blocks = num_blocks(matrix.in_features);
    for (int64_t panel = 0; panel < num_panels(matrix.out_features); ++panel)
        std::memcpy(packed + panel * blocks, matrix.scales + panel * kPanelColumns / kBlock * blocks,
                    blocks * sizeof(float));
}

GemmRunner::GemmRunner(const Kernels& kernels, ThreadPool& pool)
    : kernels_(kernels), pool_(pool), scratch_(pool.num_threads()) {
    for (Buffer& scratch : scratch_) scratch.get<GemmScratch>(1);
}

void GemmRunner::run(std::span<const GemmJob> jobs) {
    first_task_.clear();
    task_rows_.clear();
    int64_t tasks = 0;
    for (const GemmJob& job : jobs) {
        const int64_t rows = rows_per_task(job, pool_.num_threads());
        first_task_.push_back(tasks);
        task_rows_.push_back(rows);
        tasks += num_panels(job.weight->out_features) * ((job.rows + rows - 1) / rows);
    }
    pool_.run(tasks, [&](int64_t task, int thread) {
        const auto after = std::upper_bound(first_task_.begin(), first_task_.end(), task);
        const auto index = after - first_task_.begin() - 1;
        run_task(jobs[index], task - first_task_[index], task_rows_[index], thread);
    });
}

// Tasks go by row chunk, then panel: threads that work side by side share rows of x.
void GemmRunner::run_task(const GemmJob& job, int64_t task, int64_t rows_per_task, int thread) {
    const ops::Linear& weight = *job.weight;
    const int64_t panels = num_panels(weight.out_features), blocks = num_blocks(weight.in_features);
    const int64_t panel = task % panels, first_row = task / panels * rows_per_task;
    const int64_t rows = std::min(rows_per_task, job.rows - first_row);
    const float* x[kMaxGemmRows];
    const float* x_scales[kMaxGemmRows];
    for (int64_t m = 0; m < rows; ++m) {
        const int64_t row = job.x_rows ? job.x_rows[first_row + m] : first_row + m;
        x[m] = job.x + row * job.x_stride;
        x_scales[m] = job.x_scales ? job.x_scales + row * blocks : nullptr;
    }
    const int64_t packed = job.matrix * panels + panel;
    const int64_t panel_bytes = weight.in_features * kPanelColumns * dtype_bytes(weight.weight.dtype);
    kernels_.gemm_panel({
        .x = x,
        .row_scales = job.x_scales ? x_scales : nullptr,
        .rows = static_cast<int>(rows),
        .depth = weight.in_features,
        .format = panel_format(weight.weight.dtype),
        .panel = weight.weight.as<std::byte>() + packed * panel_bytes,
        .block_scales = weight.scales ? weight.scales.as<float>() + packed * blocks : nullptr,
        .out = job.out + first_row * job.out_stride + panel * kPanelColumns,
        .out_stride = job.out_stride,
        .columns = static_cast<int>(std::min<int64_t>(kPanelColumns, weight.out_features - panel * kPanelColumns)),
        .round = job.round,
        .scratch = scratch_[thread].get<GemmScratch>(1),
    });
}

}  // namespace glm5::cpu
