// The feed-forward half of a layer: dense_mlp, route, moe.
#include "backend/cuda/mlp.h"

#include <algorithm>

#include "backend/cuda/backend.h"
#include "backend/cuda/gemm/gemm.h"
#include "backend/cuda/moe/moe.h"
#include "backend/cuda/route_select/route_select.h"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {
namespace {

// Tokens that go through the experts at once: what stands between down and finish takes 4 · hidden bytes a pair, and
// half of that with many pairs.
constexpr int kMaxMoeTokens = 1024, kMaxManyPairsTokens = 8192;

// Few pairs seldom share an expert: sorting them costs more than reading such an expert twice.
constexpr int kMaxUnsortedPairs = 32;

MoeWeights weights_of(const ops::GatedMlp& mlp) {
    return {.gate = mlp.gate.weight.as<uint8_t>(),
            .up = mlp.up.weight.as<uint8_t>(),
            .down = mlp.down.weight.as<uint8_t>(),
            .gate_scales = mlp.gate.scales.as<float>(),
            .up_scales = mlp.up.scales.as<float>(),
            .down_scales = mlp.down.scales.as<float>()};
}

// Pairs of an expert that share one read of its weights: more than most experts have, but not many more.
int item_pairs_of(int num_tokens, int slots, int num_experts) {
    const int64_t mean = slots == 0 ? num_tokens : ceil_div(int64_t{num_tokens} * slots, num_experts);
    if (mean <= 3) return 8;
    if (mean <= 8) return 16;
    return mean <= 20 ? 32 : 64;
}

// The form in which `num_tokens` tokens, or the first of them, go through the experts.
MoeParams form_of(const Launch& launch, int64_t num_tokens, int slots, int num_experts, int hidden, int width,
                  bool e4m3) {
    MoeParams params{.num_tokens = static_cast<int>(std::min<int64_t>(num_tokens, kMaxManyPairsTokens)),
                     .slots = slots,
                     .num_experts = num_experts,
                     .hidden = hidden,
                     .width = width,
                     .e4m3 = e4m3};
    params.sorted = params.num_tokens * slots > kMaxUnsortedPairs;
    params.many_pairs = launch.architecture == 90 && num_tokens >= kMaxMoeTokens && moe_many_pairs_sm90_fits(params);
    if (!params.many_pairs) params.num_tokens = std::min(params.num_tokens, kMaxMoeTokens);
    params.item_pairs = params.many_pairs ? 128 : item_pairs_of(params.num_tokens, slots, std::max(1, num_experts));
    return params;
}

}  // namespace

// The most that any number of tokens takes. Routed experts and dense layers have one memory.
int64_t mlp_workspace_bytes(const Launch& launch, const ops::StepLimits& limits) {
    int64_t bytes = 0;
    for (const int64_t tokens : {std::min<int64_t>(limits.max_tokens, kMaxMoeTokens - 1), limits.max_tokens})
        for (const bool e4m3 : {false, true})
            for (const bool routed : {false, true})
                bytes = std::max(
                    bytes, moe_workspace_bytes(form_of(
                               launch, tokens, routed ? static_cast<int>(limits.experts_per_token) : 0,
                               routed ? static_cast<int>(limits.num_experts) : 0, static_cast<int>(limits.hidden_size),
                               static_cast<int>(routed ? limits.expert_width : limits.mlp_width), e4m3)));
    return bytes;
}

// Routed experts are none in a dense layer.
void CudaBackend::run_experts(const ops::Tensor& out, const ops::Activation& in, const ops::Tensor& expert_ids,
                              const ops::Tensor& expert_weights, const ops::GatedMlp& experts,
                              const ops::GatedMlp& shared) {
    const ops::Linear& gate = shared.gate;
    const bool e4m3 = quantises_input(gate);
    GLM5_CHECK(gate.out_features % 128 == 0 && gate.in_features % 128 == 0, "an MLP of {} × {}", gate.out_features,
               gate.in_features);
    GLM5_CHECK(!e4m3 || in.quantised);
    if (experts.gate)
        GLM5_CHECK(experts.gate.out_features == gate.out_features && experts.gate.format == gate.format &&
                       experts.gate.batch <= 256,
                   "{} routed experts of width {} beside a shared one of {}", experts.gate.batch,
                   experts.gate.out_features, gate.out_features);
    const int64_t hidden = gate.in_features, k_tiles = hidden / kTileRowBytes;
    const auto slots = static_cast<int>(experts.gate ? expert_ids.columns() : 0);
    for (int64_t first = 0; first < out.rows();) {
        // All but the last part are whole tiles of rows.
        MoeParams params = form_of(launch_, out.rows() - first, slots, static_cast<int>(experts.gate.batch),
                                   static_cast<int>(hidden), static_cast<int>(gate.out_features), e4m3);
        params.out = out.as<bf16>() + first * hidden;
        params.x = e4m3 ? static_cast<const void*>(in.quantised.as<uint8_t>() + first * hidden)
                        : static_cast<const void*>(in.values.as<bf16>() + first * hidden);
        params.x_scales = in.scales.as<float>() + first * k_tiles;
        params.expert_ids = expert_ids.as<int32_t>() + first * slots;
        params.expert_weights = expert_weights.as<float>() + first * slots;
        params.experts = weights_of(experts);
        params.shared = weights_of(shared);
        GLM5_CHECK(moe_workspace_bytes(params) <= mlp_workspace_.bytes());
        place_moe_workspace(params, mlp_workspace_.data);
        cuda::moe(launch_, params);
        first += params.num_tokens;
    }
}

void CudaBackend::dense_mlp(const ops::DenseMlpArgs& args) {
    run_experts(args.out, args.in, {}, {}, {}, args.weights);
}

void CudaBackend::moe(const ops::MoeArgs& args) {
    run_experts(args.out, args.in, args.expert_ids, args.expert_weights, args.experts, args.shared);
}

void CudaBackend::route(const ops::RouteArgs& args) {
    const int64_t rows = args.in.values.rows(), experts = args.gate.out_features;
    GLM5_CHECK(args.gate.format == ops::WeightFormat::bf16 && args.gate.in_features % 64 == 0);
    const ops::Tensor logits = router_logits_.first_rows(rows);
    gemm(launch_, {.layers = {{.weight = args.gate.weight.as<uint8_t>(),
                               .x = args.in.values.data,
                               .out = logits.data,
                               .x_row_stride = args.gate.in_features,
                               .out_row_stride = experts,
                               .out_features = static_cast<int>(experts),
                               .row_tiles = static_cast<int>(ceil_div(experts, kTileRows)),
                               .k_tiles = static_cast<int>(args.gate.in_features / 64),
                               .out_f32 = true}},
                   .num_layers = 1,
                   .num_tokens = static_cast<int>(rows)});
    select_experts(args, logits);
}

void CudaBackend::select_experts(const ops::RouteArgs& args, const ops::Tensor& logits) {
    const int64_t rows = logits.rows(), experts = logits.columns(), top_k = args.expert_ids.columns();
    GLM5_CHECK(experts <= kMostExperts && top_k <= kMostExpertsPerToken && top_k <= experts, "{} of {} experts", top_k,
               experts);
    GLM5_CHECK(args.bias.elements() == experts && args.expert_ids.rows() == rows && args.expert_weights.rows() == rows);
    route_select(launch_, {.expert_ids = args.expert_ids.as<int32_t>(),
                           .expert_weights = args.expert_weights.as<float>(),
                           .logits = logits.as<float>(),
                           .bias = args.bias.as<float>(),
                           .rows = rows,
                           .num_experts = static_cast<int>(experts),
                           .top_k = static_cast<int>(top_k),
                           .scaling = args.scaling,
                           .normalise = args.normalise});
}

}  // namespace glm5::cuda
