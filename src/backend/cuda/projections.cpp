// The linear layers around attention, and lm_head: fused_a, query_b, query_finish's absorbed product, value_up, linear.
#include "backend/cuda/backend.h"
#include "backend/cuda/gemm/gemm.h"
#include "backend/cuda/shapes.h"
#include "backend/cuda/tiles.h"

namespace glm5::cuda {
namespace {

// A layer that reads `in`, in the form that `quantised` says, and writes rows of `out`.
GemmLayer layer_of(const ops::Linear& weight, const ops::Activation& in, bool quantised, const ops::Tensor& out) {
    GLM5_CHECK(in.values.columns() == weight.in_features && out.columns() == weight.out_features, "{} → {}: {} → {}",
               weight.in_features, weight.out_features, in.values.columns(), out.columns());
    const bool e4m3 = weight.format == ops::WeightFormat::fp8_block128;
    GLM5_CHECK(e4m3 == quantised, "FP8 weights read FP8 inputs (Numerics::linear_input)");
    const int64_t row_bytes = weight.in_features * (e4m3 ? 1 : 2);
    GLM5_CHECK(row_bytes % kTileRowBytes == 0 && weight.out_features % 2 == 0, "a layer of {} → {}", weight.in_features,
               weight.out_features);
    return {.weight = weight.weight.as<uint8_t>(),
            .weight_scales = weight.scales.as<float>(),
            .x = e4m3 ? in.quantised.data : in.values.data,
            .x_scales = in.scales.as<float>(),
            .out = out.data,
            .x_row_stride = weight.in_features,
            .out_row_stride = weight.out_features,
            .batch = 1,
            .out_features = static_cast<int>(weight.out_features),
            .row_tiles = static_cast<int>(ceil_div(weight.out_features, kTileRows)),
            .k_tiles = static_cast<int>(row_bytes / kTileRowBytes),
            .e4m3 = e4m3,
            .out_f32 = out.dtype == DType::f32};
}

// out[t, b] = W_b · x[t, b] for the heads b of a token, given the strides of a token and of a head in values.
GemmLayer heads_of(const ops::Linear& weight, const ops::Tensor& x, int64_t x_token, int64_t x_head,
                   const ops::Tensor& out, int64_t out_token, int64_t out_head) {
    GLM5_CHECK(weight.format == ops::WeightFormat::bf16 && weight.in_features % 64 == 0);
    return {.weight = weight.weight.as<uint8_t>(),
            .x = x.data,
            .out = out.data,
            .x_row_stride = x_token,
            .x_batch_stride = x_head,
            .out_row_stride = out_token,
            .out_batch_stride = out_head,
            .batch = static_cast<int>(weight.batch),
            .out_features = static_cast<int>(weight.out_features),
            .row_tiles = static_cast<int>(ceil_div(weight.out_features, kTileRows)),
            .k_tiles = static_cast<int>(weight.in_features / 64)};
}

}  // namespace

void CudaBackend::linear(const ops::LinearArgs& args) {
    gemm(launch_, {.layers = {layer_of(args.weight, args.in, quantises_input(args.weight), args.out)},
                   .num_layers = 1,
                   .num_tokens = static_cast<int>(args.out.rows())});
}

void CudaBackend::fused_a(const ops::FusedAArgs& args) {
    GemmParams params{.num_tokens = static_cast<int>(args.q_a.rows())};
    const auto add = [&](const ops::Linear& weight, const ops::Tensor& out) {
        params.layers[params.num_layers++] = layer_of(weight, args.hidden, quantises_input(weight), out);
    };
    add(args.q_a_proj, args.q_a);
    add(args.kv_a_proj, args.kv_a);
    if (args.index_wk) {
        add(args.index_wk, args.index_k);
        add(args.index_weights_proj, args.index_weights);
        params.layers[params.num_layers - 1].out_scale = args.index_weight_scale;
    }
    gemm(launch_, params);
}

void CudaBackend::query_b(const ops::QueryBArgs& args) {
    GemmParams params{.layers = {layer_of(args.q_b_proj, args.q_norm, quantises_input(args.q_b_proj), args.q)},
                      .num_layers = 1,
                      .num_tokens = static_cast<int>(args.q.rows())};
    if (args.index_wq_b)
        params.layers[params.num_layers++] =
            layer_of(args.index_wq_b, args.q_norm, quantises_input(args.index_wq_b), args.index_q);
    gemm(launch_, params);
}

void CudaBackend::query_finish(const ops::QueryFinishArgs& args) {
    const int64_t heads = args.q.shape[1], head_dim = kNopeDim + kRopeDim;
    GLM5_CHECK(args.q.shape[2] == head_dim && args.query.shape[2] == kQueryDim && args.absorb_k.batch == heads &&
               args.absorb_k.in_features == kNopeDim && args.absorb_k.out_features == kLatentDim);
    gemm(launch_, {.layers = {heads_of(args.absorb_k, args.q, heads * head_dim, head_dim, args.query, heads * kQueryDim,
                                       kQueryDim)},
                   .num_layers = 1,
                   .num_tokens = static_cast<int>(args.q.rows())});
    rotate_queries(args);
}

void CudaBackend::value_up(const ops::ValueUpArgs& args) {
    const int64_t heads = args.latent.shape[1];
    GLM5_CHECK(args.latent.shape[2] == kLatentDim && args.v_up.batch == heads && args.v_up.in_features == kLatentDim &&
               args.v_up.out_features == kValueDim && args.out.values.columns() == heads * kValueDim);
    gemm(launch_, {.layers = {heads_of(args.v_up, args.latent, heads * kLatentDim, kLatentDim, args.out.values,
                                       heads * kValueDim, kValueDim)},
                   .num_layers = 1,
                   .num_tokens = static_cast<int>(args.latent.rows())});
    quantise(args.out);
}

void CudaBackend::lm_head(const ops::LmHeadArgs& args) {
    GemmParams params{.layers = {layer_of(args.head, args.hidden, quantises_input(args.head), args.logits)},
                      .num_layers = 1,
                      .num_tokens = args.batch->num_logit_rows};
    GLM5_CHECK(!params.layers[0].e4m3 && args.logits.dtype == DType::f32);
    params.layers[0].x_rows = args.batch->logit_rows.as<int32_t>();
    gemm(launch_, params);
}

}  // namespace glm5::cuda
