// CudaBackend: ops::Backend over one GPU. The methods stand by subject: backend.cpp (memory, weights, graphs),
// rows.cpp (embed, norms, prologue, rotation), projections.cpp (linear layers), attention.cpp (index_select,
// sparse_mla), mlp.cpp (dense_mlp, route, moe), sample.cpp. Each checks its arguments and calls the launch functions of
// the kernels' folders.
//
// Activations are bf16. What GLM-5 fixes is fixed here too (shapes.h); widths of FP8 linear layers are multiples of 128
// and those of bf16 ones of 64. Weights lie in tiles (tiles.h), and so does the FP8 form of an activation, whose rows
// are padded to a multiple of 64.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "backend/cuda/arena.h"
#include "backend/cuda/launch.h"
#include "ops/backend.h"

namespace glm5::cuda {

class CudaBackend final : public ops::Backend {
public:
    CudaBackend(const ops::Numerics& numerics, int device);
    ~CudaBackend() override;

    std::string description() const override;
    const ops::Numerics& numerics() const override { return numerics_; }
    DType activation_dtype() const override { return DType::bf16; }
    DType index_query_dtype() const override { return DType::f8_e4m3; }

    ops::Tensor allocate(DType dtype, std::initializer_list<int64_t> shape) override;
    ops::Activation allocate_activation(int64_t rows, int64_t width) override;
    void copy_to_device(const ops::Tensor& destination, const void* source, int64_t bytes) override;
    void copy_to_host(void* destination, const ops::Tensor& source, int64_t bytes) override;
    using ops::Backend::make_linear;
    ops::Linear make_linear(std::span<const ops::HostMatrixView> matrices) override;
    void prepare(const ops::StepLimits& limits) override;
    ops::MemoryUse memory_use() const override;
    int64_t available_bytes() const override;
    void repeat(uint64_t key, const std::function<void()>& record) override;

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
    bool quantises_input(const ops::Linear& weight) const {
        return numerics_.linear_input == ops::LinearInput::fp8_1x128 &&
               weight.format == ops::WeightFormat::fp8_block128;
    }

    // rows.cpp
    void rotate_queries(const ops::QueryFinishArgs& args);  // query_finish without the absorbed product
    void quantise(const ops::Activation& activation);       // the FP8 form of `values`; nothing when there is none

    // mlp.cpp
    void select_experts(const ops::RouteArgs& args, const ops::Tensor& logits);
    void run_experts(const ops::Tensor& out, const ops::Activation& in, const ops::Tensor& expert_ids,
                     const ops::Tensor& expert_weights, const ops::GatedMlp& experts, const ops::GatedMlp& shared);

    const ops::Numerics numerics_;
    const int device_;
    int64_t device_bytes_ = 0;
    Launch launch_;
    Arena arena_;
    Staging staging_;
    ops::StepLimits limits_;

    struct Graph {
        cudaGraphExec_t executable = nullptr;
        uint64_t last_used = 0;
    };
    void make_room_for_graph();
    std::unordered_map<uint64_t, Graph> graphs_;  // of repeat
    uint64_t num_repeats_ = 0;

    // Working memory, each by its user; made by prepare.
    ops::Tensor index_workspace_;  // index_select: [bytes] u8
    ops::Tensor mla_workspace_;    // sparse_mla
    ops::Tensor mlp_workspace_;    // dense_mlp, moe
    ops::Tensor router_logits_;    // route: [max_tokens, num_experts] f32
    int64_t workspace_bytes_ = 0;  // of all these
};

}  // namespace glm5::cuda
