// CpuBackend: ops::Backend over kernels, GemmRunner and ThreadPool. The methods stand by subject: backend.cpp (memory
// and weights), elementwise.cpp, projections.cpp, cache_entry.cpp, index_select.cpp, sparse_mla.cpp, mlp.cpp, head.cpp,
// sample.cpp.
//
// Working memory is sized by StepLimits, the larger parts at their first use; no later step within the limits
// allocates.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "backend/cpu/buffer.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/sample_row.h"
#include "backend/cpu/thread_pool.h"
#include "ops/backend.h"

namespace glm5::cpu {

// The scale of an index query or key in e4m3: 2^ceil(log2(max(largest_magnitude, 1e-4) / 448)).
float e4m3_index_scale(float largest_magnitude);

class CpuBackend final : public ops::Backend {
public:
    CpuBackend(const ops::Numerics& numerics, int num_threads, InstructionSet instruction_set);

    std::string description() const override;
    const ops::Numerics& numerics() const override { return numerics_; }
    DType activation_dtype() const override { return DType::f32; }
    DType index_query_dtype() const override { return DType::f32; }

    ops::Tensor allocate(DType dtype, std::initializer_list<int64_t> shape) override;
    void copy_to_device(const ops::Tensor& destination, const void* source, int64_t bytes) override;
    void copy_to_host(void* destination, const ops::Tensor& source, int64_t bytes) override;
    ops::Linear make_linear(std::span<const ops::HostMatrixView> matrices) override;
    void prepare(const ops::StepLimits& limits) override;
    ops::MemoryUse memory_use() const override;
    int64_t available_bytes() const override;
    void repeat(uint64_t, const std::function<void()>& record) override { record(); }

    void embed(const ops::EmbedArgs& args) override;
    void rope_table(const ops::RopeTableArgs& args) override;
    void add_norm(const ops::AddNormArgs& args) override;
    void fused_a(const ops::FusedAArgs& args) override;
    void mla_prologue(const ops::MlaPrologueArgs& args) override;
    void query_b(const ops::QueryBArgs& args) override;
    void query_finish(const ops::QueryFinishArgs& args) override;
    void index_select(const ops::IndexSelectArgs& args) override;
    void sparse_mla(const ops::SparseMlaArgs& args) override;
    void value_up(const ops::ValueUpArgs& args) override;
    void linear(const ops::LinearArgs& args) override;
    void dense_mlp(const ops::DenseMlpArgs& args) override;
    void route(const ops::RouteArgs& args) override;
    void moe(const ops::MoeArgs& args) override;
    void lm_head(const ops::LmHeadArgs& args) override;
    void sample(const ops::SampleArgs& args) override;

private:
    bool rounds() const { return numerics_.activation == ops::ActivationFormat::bf16; }
    // A row count that later steps do not exceed.
    int64_t most_rows(int64_t rows) const { return std::max(rows, limits_.max_tokens); }

    // Whether the layer reads the FP8 form of its input.
    bool quantises_input(const ops::Linear& weight) const {
        return numerics_.linear_input == ops::LinearInput::fp8_1x128 &&
               weight.format == ops::WeightFormat::fp8_block128;
    }

    // body(row, thread) for every row; on all threads when rows of `row_values` values are worth it.
    template <typename Body>
    void for_rows(int64_t rows, int64_t row_values, const Body& body) {
        constexpr int64_t kWorthwhile = 8192;
        const int64_t step = std::max<int64_t>(1, kWorthwhile / std::max<int64_t>(1, row_values));
        pool_.run((rows + step - 1) / step, [&](int64_t task, int thread) {
            const int64_t end = std::min(rows, (task + 1) * step);
            for (int64_t row = task * step; row < end; ++row) body(row, thread);
        });
    }

    // What linear layers read of an activation: its values, or the values of its FP8 codes and their scales.
    struct Input {
        int64_t rows = 0;
        int64_t width = 0;
        const float* values = nullptr;
        const float* codes = nullptr;
        const float* scales = nullptr;
    };
    // `quantised`: whether some layer reads the codes. They are expanded into codes_.
    Input input_of(const ops::Activation& in, bool quantised);
    // out = R(weight · in), rows of the weight's outputs.
    GemmJob job(const Input& in, const ops::Linear& weight, float* out) const;
    GemmJob job(const Input& in, const ops::Linear& weight, const ops::Tensor& out) const;
    void run_heads(float* out, int64_t out_head, int64_t out_row, const float* x, int64_t x_head, int64_t x_row,
                   int64_t rows, const ops::Linear& weight);
    void quantise_row(const ops::Activation& activation, int64_t row);
    void quantise_in_place(float* row, int64_t width, float* scales);
    void round_to_e4m3(float* row, float scale, int64_t n);

    // Cache pages.
    struct IndexKeys {
        const float* panel;   // [dim, 64]
        const float* scales;  // [64], or null for ones
    };
    void write_latent(const ops::MlaPrologueArgs& args, int64_t token, int64_t slot, float* row);
    const float* latent_row(const ops::PageArray& pages, int64_t slot, int64_t latent_dim, int64_t rope_dim,
                            float* row) const;
    void write_index_key(const ops::PageArray& pages, int64_t slot, const float* key, int64_t dim);
    IndexKeys index_keys(const ops::PageArray& pages, int64_t page, int64_t dim, float* panel) const;

    // Tokens of one sequence whose scores are computed together.
    struct IndexTile {
        int first_token = 0;
        int num_tokens = 0;
        int64_t num_pages = 0;
        int64_t first_task = 0;   // of its group
        int64_t first_score = 0;  // in scores_
    };
    void select_group(const ops::IndexSelectArgs& args, int64_t group_tokens, int64_t stride);
    void score_pages(const ops::IndexSelectArgs& args, const IndexTile& tile, int64_t first_page, float* scores,
                     int64_t stride, int thread);
    void attend(const ops::SparseMlaArgs& args, int64_t token, int64_t first_head, int64_t heads, int thread);

    void finish_gates(int64_t rows, float* gate, const float* up, float* scales, const ops::Linear& down);
    GemmJob down_job(int64_t rows, const float* gate, const float* scales, const ops::Linear& down, float* out) const;
    void sort_pairs(const int32_t* ids, int64_t rows, int64_t slots, int64_t num_experts);
    void sum_experts(const ops::MoeArgs& args, const float* out);

    const ops::Numerics numerics_;
    const Kernels& kernels_;
    const InstructionSet instruction_set_;
    ThreadPool pool_;
    GemmRunner gemm_;
    ops::StepLimits limits_;
    std::vector<Memory> tensors_;
    int64_t tensor_bytes_ = 0;

    // Working memory, each by its user.
    Buffer codes_;  // input_of
    std::vector<GemmJob> jobs_, down_jobs_;
    Buffer gate_, up_, gate_scales_;             // dense_mlp, moe
    Buffer pair_tokens_, pair_rows_, pair_out_;  // moe
    std::vector<int64_t> first_pair_, next_pair_;
    Buffer router_logits_;  // route
    Buffer scores_;         // index_select
    std::vector<IndexTile> tiles_;
    std::vector<RowSampler> row_samplers_;  // of each thread
    std::vector<Buffer> thread_memory_;  // of each thread, within one kernel call
};

}  // namespace glm5::cpu
