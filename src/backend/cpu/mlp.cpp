// dense_mlp, route and moe.
#include <cmath>
#include <numeric>

#include "backend/cpu/backend.h"

namespace glm5::cpu {

// gate = R(silu(gate) · up), `rows` rows of the input of `down`: in FP8 form, with the scales, if it reads that.
void CpuBackend::finish_gates(int64_t rows, float* gate, const float* up, float* scales, const ops::Linear& down) {
    const int64_t width = down.in_features;
    for_rows(rows, 4 * width, [&](int64_t row, int) {
        kernels_.silu_multiply(gate + row * width, up + row * width, width, rounds());
        if (quantises_input(down)) quantise_in_place(gate + row * width, width, scales + row * num_blocks(width));
    });
}

GemmJob CpuBackend::down_job(int64_t rows, const float* gate, const float* scales, const ops::Linear& down,
                             float* out) const {
    return {.weight = &down,
            .rows = rows,
            .x = gate,
            .x_stride = down.in_features,
            .x_scales = quantises_input(down) ? scales : nullptr,
            .out = out,
            .out_stride = down.out_features};
}

void CpuBackend::dense_mlp(const ops::DenseMlpArgs& args) {
    const ops::GatedMlp& weights = args.weights;
    const int64_t rows = args.in.values.rows(), width = weights.gate.out_features;
    auto* gate = gate_.get<float>(most_rows(rows) * width);
    auto* up = up_.get<float>(most_rows(rows) * width);
    auto* scales = gate_scales_.get<float>(most_rows(rows) * num_blocks(width));
    const Input in = input_of(args.in, quantises_input(weights.gate) || quantises_input(weights.up));
    jobs_.clear();
    jobs_.push_back(job(in, weights.gate, gate));
    jobs_.push_back(job(in, weights.up, up));
    gemm_.run(jobs_);
    finish_gates(rows, gate, up, scales, weights.down);
    GemmJob down = down_job(rows, gate, scales, weights.down, args.out.as<float>());
    down.round = rounds();
    gemm_.run(down);
}

void CpuBackend::route(const ops::RouteArgs& args) {
    const int64_t rows = args.in.values.rows(), experts = args.gate.out_features;
    const int64_t top_k = args.expert_ids.shape[1];
    GLM5_CHECK(top_k >= 1 && top_k <= experts, "{} of {} experts", top_k, experts);
    auto* gates = router_logits_.get<float>(most_rows(rows) * experts);
    GLM5_CHECK(!quantises_input(args.gate));
    GemmJob product = job(input_of(args.in, false), args.gate, gates);
    product.round = false;
    gemm_.run(product);

    const float* bias = args.bias.as<float>();
    for_rows(rows, experts * (top_k + 4), [&](int64_t row, int thread) {
        float* gate = gates + row * experts;
        kernels_.sigmoid(gate, experts);
        // What is not comparable counts as the least; a chosen expert becomes NaN, so that it is not chosen again.
        auto* value = thread_memory_[thread].get<float>(experts);
        for (int64_t i = 0; i < experts; ++i) value[i] = std::isnan(gate[i] + bias[i]) ? -INFINITY : gate[i] + bias[i];
        int32_t* ids = args.expert_ids.as<int32_t>() + row * top_k;
        float* weights = args.expert_weights.as<float>() + row * top_k;
        float total = 0;
        for (int64_t slot = 0; slot < top_k; ++slot) {
            int64_t best = -1;
            for (int64_t i = 0; i < experts; ++i)
                if (best < 0 ? !std::isnan(value[i]) : value[i] > value[best]) best = i;
            ids[slot] = static_cast<int32_t>(best);
            weights[slot] = gate[best];
            total += gate[best];
            value[best] = NAN;
        }
        for (int64_t slot = 0; slot < top_k; ++slot)
            weights[slot] = (args.normalise ? weights[slot] / (total + 1e-20f) : weights[slot]) * args.scaling;
    });
}

// Where each expert's rows begin among all (token, slot) pairs, and which pair became which row.
void CpuBackend::sort_pairs(const int32_t* ids, int64_t rows, int64_t slots, int64_t num_experts) {
    const int64_t pairs = rows * slots;
    auto* tokens = pair_tokens_.get<int32_t>(most_rows(rows) * slots);
    auto* pair_rows = pair_rows_.get<int32_t>(most_rows(rows) * slots);
    first_pair_.assign(num_experts + 1, 0);
    for (int64_t pair = 0; pair < pairs; ++pair) {
        GLM5_CHECK(ids[pair] >= 0 && ids[pair] < num_experts, "expert {} of {}", ids[pair], num_experts);
        ++first_pair_[ids[pair] + 1];
    }
    std::partial_sum(first_pair_.begin(), first_pair_.end(), first_pair_.begin());
    next_pair_.assign(first_pair_.begin(), first_pair_.end());
    for (int64_t pair = 0; pair < pairs; ++pair) {
        const int64_t row = next_pair_[ids[pair]]++;
        tokens[row] = static_cast<int32_t>(pair / slots);
        pair_rows[pair] = static_cast<int32_t>(row);
    }
}

// One product per expert over the rows that chose it, and one of the shared expert over all tokens, whose rows stand
// behind the others. Then each token's sum.
void CpuBackend::moe(const ops::MoeArgs& args) {
    const ops::GatedMlp &experts = args.experts, &shared = args.shared;
    const int64_t rows = args.in.values.rows(), hidden = args.out.shape[1], slots = args.expert_ids.shape[1];
    const int64_t pairs = rows * slots, num_experts = experts.gate.batch, most = most_rows(rows);
    const int64_t width = experts.gate.out_features, shared_width = shared.gate.out_features;
    sort_pairs(args.expert_ids.as<int32_t>(), rows, slots, num_experts);
    const auto* tokens = pair_tokens_.get<int32_t>(pairs);
    auto* gate = gate_.get<float>(most * (slots * width + shared_width));
    auto* up = up_.get<float>(most * (slots * width + shared_width));
    auto* scales = gate_scales_.get<float>(most * (slots * num_blocks(width) + num_blocks(shared_width)));
    auto* out = pair_out_.get<float>(most * (slots + 1) * hidden);
    float *shared_gate = gate + pairs * width, *shared_up = up + pairs * width, *shared_out = out + pairs * hidden;
    float* shared_scales = scales + pairs * num_blocks(width);

    const Input in = input_of(args.in, quantises_input(experts.gate) || quantises_input(shared.gate) ||
                                           quantises_input(experts.up) || quantises_input(shared.up));
    jobs_.clear();
    down_jobs_.clear();
    const auto add_expert = [&](GemmJob job, int64_t expert, int64_t first) {
        job.matrix = expert;
        job.rows = first_pair_[expert + 1] - first;
        job.x_rows = tokens + first;
        jobs_.push_back(job);
    };
    for (int64_t expert = 0; expert < num_experts; ++expert) {
        const int64_t first = first_pair_[expert], count = first_pair_[expert + 1] - first;
        if (count == 0) continue;
        add_expert(job(in, experts.gate, gate + first * width), expert, first);
        add_expert(job(in, experts.up, up + first * width), expert, first);
        down_jobs_.push_back(down_job(count, gate + first * width, scales + first * num_blocks(width), experts.down,
                                      out + first * hidden));
        down_jobs_.back().matrix = expert;
    }
    jobs_.push_back(job(in, shared.gate, shared_gate));
    jobs_.push_back(job(in, shared.up, shared_up));
    down_jobs_.push_back(down_job(rows, shared_gate, shared_scales, shared.down, shared_out));
    gemm_.run(jobs_);
    finish_gates(pairs, gate, up, scales, experts.down);
    finish_gates(rows, shared_gate, shared_up, shared_scales, shared.down);
    gemm_.run(down_jobs_);
    sum_experts(args, out);
}

// `out` holds the experts' rows, then the shared expert's.
void CpuBackend::sum_experts(const ops::MoeArgs& args, const float* out) {
    const int64_t rows = args.in.values.rows(), hidden = args.out.shape[1], slots = args.expert_ids.shape[1];
    const auto* pair_rows = pair_rows_.get<int32_t>(rows * slots);
    for_rows(rows, (slots + 2) * hidden, [&](int64_t row, int thread) {
        auto** sources = thread_memory_[thread].get<const float*>(slots);
        for (int64_t slot = 0; slot < slots; ++slot) sources[slot] = out + pair_rows[row * slots + slot] * hidden;
        kernels_.weighted_sum(args.out.as<float>() + row * hidden, sources,
                              args.expert_weights.as<float>() + row * slots, static_cast<int>(slots),
                              out + (rows * slots + row) * hidden, hidden, rounds());
    });
}

}  // namespace glm5::cpu
