// The linear layers around attention: fused_a, query_b, query_finish, value_up, linear.
#include "backend/cpu/backend.h"

namespace glm5::cpu {

CpuBackend::Input CpuBackend::input_of(const ops::Activation& in, bool quantised) {
    const int64_t rows = in.values.rows(), width = in.values.columns();
    Input input{.rows = rows, .width = width, .values = in.values.as<float>()};
    if (!quantised) return input;
    GLM5_CHECK(in.quantised && in.scales);
    auto* codes = codes_.get<float>(most_rows(rows) * std::max(width, limits_.max_width));
    for_rows(rows, width, [&](int64_t row, int) {
        kernels_.expand_e4m3(codes + row * width, in.quantised.as<uint8_t>() + row * width, 1.0f, width);
    });
    input.codes = codes;
    input.scales = in.scales.as<float>();
    return input;
}

GemmJob CpuBackend::job(const Input& in, const ops::Linear& weight, float* out) const {
    GLM5_CHECK(in.width == weight.in_features, "{} values for {} inputs", in.width, weight.in_features);
    const bool quantised = quantises_input(weight);
    return {.weight = &weight,
            .rows = in.rows,
            .x = quantised ? in.codes : in.values,
            .x_stride = in.width,
            .x_scales = quantised ? in.scales : nullptr,
            .out = out,
            .out_stride = weight.out_features,
            .round = rounds()};
}

GemmJob CpuBackend::job(const Input& in, const ops::Linear& weight, const ops::Tensor& out) const {
    GLM5_CHECK(out.columns() == weight.out_features && out.rows() == in.rows);
    return job(in, weight, out.as<float>());
}

void CpuBackend::linear(const ops::LinearArgs& args) {
    gemm_.run(job(input_of(args.in, quantises_input(args.weight)), args.weight, args.out));
}

void CpuBackend::fused_a(const ops::FusedAArgs& args) {
    const Input hidden = input_of(args.hidden, quantises_input(args.q_a_proj) || quantises_input(args.kv_a_proj));
    jobs_.clear();
    jobs_.push_back(job(hidden, args.q_a_proj, args.q_a));
    jobs_.push_back(job(hidden, args.kv_a_proj, args.kv_a));
    if (!args.index_wk) return gemm_.run(jobs_);
    GLM5_CHECK(!quantises_input(args.index_wk) && !quantises_input(args.index_weights_proj));
    jobs_.push_back(job(hidden, args.index_wk, args.index_k));
    jobs_.push_back(job(hidden, args.index_weights_proj, args.index_weights));
    jobs_.back().round = false;
    gemm_.run(jobs_);
    kernels_.multiply(args.index_weights.as<float>(), args.index_weight_scale, args.index_weights.elements());
}

void CpuBackend::query_b(const ops::QueryBArgs& args) {
    const bool quantised = quantises_input(args.q_b_proj) || (args.index_wq_b && quantises_input(args.index_wq_b));
    const Input q_norm = input_of(args.q_norm, quantised);
    jobs_.clear();
    jobs_.push_back(job(q_norm, args.q_b_proj, args.q));
    if (args.index_wq_b) jobs_.push_back(job(q_norm, args.index_wq_b, args.index_q));
    gemm_.run(jobs_);
}

// out[row, head] = R(W_head · x[row, head]), with the strides of a head and a row in values.
void CpuBackend::run_heads(float* out, int64_t out_head, int64_t out_row, const float* x, int64_t x_head, int64_t x_row,
                           int64_t rows, const ops::Linear& weight) {
    jobs_.clear();
    for (int64_t head = 0; head < weight.batch; ++head)
        jobs_.push_back({.weight = &weight,
                         .matrix = head,
                         .rows = rows,
                         .x = x + head * x_head,
                         .x_stride = x_row,
                         .out = out + head * out_head,
                         .out_stride = out_row,
                         .round = rounds()});
    gemm_.run(jobs_);
}

void CpuBackend::query_finish(const ops::QueryFinishArgs& args) {
    const int64_t rows = args.q.rows(), heads = args.q.shape[1], head_dim = args.q.shape[2];
    const int64_t nope_dim = args.absorb_k.in_features, latent_dim = args.absorb_k.out_features;
    const int64_t rope_dim = head_dim - nope_dim, query_dim = latent_dim + rope_dim;
    GLM5_CHECK(args.query.shape[2] == query_dim && args.absorb_k.batch == heads);
    run_heads(args.query.as<float>(), query_dim, heads * query_dim, args.q.as<float>(), head_dim, heads * head_dim,
              rows, args.absorb_k);

    const int64_t index_heads = args.index_q ? args.index_q.shape[1] : 0;
    const int64_t index_dim = args.index_q ? args.index_q.shape[2] : 0;
    for_rows(rows, heads * rope_dim + index_heads * index_dim, [&](int64_t row, int) {
        const float* cos_sin = args.cos_sin.as<float>() + row * rope_dim;
        for (int64_t head = row * heads; head < (row + 1) * heads; ++head)
            kernels_.rope(args.query.as<float>() + head * query_dim + latent_dim,
                          args.q.as<float>() + head * head_dim + nope_dim, cos_sin, rope_dim, rounds());
        for (int64_t head = row * index_heads; head < (row + 1) * index_heads; ++head) {
            float* index_query = args.index_query.as<float>() + head * index_dim;
            const float* index_q = args.index_q.as<float>() + head * index_dim;
            if (index_query != index_q) std::copy_n(index_q, index_dim, index_query);
            kernels_.rope(index_query, index_query, cos_sin, rope_dim, false);
            if (numerics_.index_key == IndexKeyFormat::f32) continue;
            const float scale = e4m3_index_scale(kernels_.largest_magnitude(index_query, index_dim));
            round_to_e4m3(index_query, scale, index_dim);
            args.index_weights.as<float>()[head] *= scale;
        }
    });
}

void CpuBackend::value_up(const ops::ValueUpArgs& args) {
    const int64_t rows = args.latent.rows(), heads = args.v_up.batch;
    const int64_t latent_dim = args.v_up.in_features, v_dim = args.v_up.out_features;
    GLM5_CHECK(args.latent.shape[1] == heads && args.latent.shape[2] == latent_dim &&
               args.out.values.columns() == heads * v_dim);
    run_heads(args.out.values.as<float>(), v_dim, heads * v_dim, args.latent.as<float>(), latent_dim,
              heads * latent_dim, rows, args.v_up);
    if (numerics_.linear_input == ops::LinearInput::fp8_1x128)
        for_rows(rows, heads * v_dim, [&](int64_t row, int) { quantise_row(args.out, row); });
}

}  // namespace glm5::cpu
