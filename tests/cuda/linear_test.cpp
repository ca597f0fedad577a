// The linear layers and the experts on CUDA against the CPU: layers of GLM-5 and glm5-nano at row counts around the
// tiles of the kernels, projections by head, the head of the model, and experts with none, few and many tokens.
#include <algorithm>
#include <numeric>

#include "cuda/support.h"

namespace glm5::cuda_test {
namespace {

using ops::WeightFormat;

// Sums in float32 of a few thousand products, then one rounding to bf16.
constexpr double kSumTolerance = 1e-5;

class LinearLayers : public CudaTest {};

TEST_F(LinearLayers, RowsAroundEveryTile) {
    struct Shape {
        int64_t out, in;
        WeightFormat format;
    };
    for (const Shape& shape : {Shape{576, 256, WeightFormat::fp8_block128}, Shape{192, 384, WeightFormat::fp8_block128},
                               Shape{160, 192, WeightFormat::bf16}, Shape{72, 1024, WeightFormat::bf16},
                               Shape{130, 64, WeightFormat::f32}}) {
        Twin twin;
        const Matrix matrix = twin.matrix(shape.out, shape.in, shape.format);
        const LinearPair weight = twin.linear(matrix);
        for (int64_t rows : {1, 2, 7, 8, 9, 16, 17, 33, 64, 65, 127, 128, 129, 200, 321, 384, 500}) {
            const ActivationPair in = twin.random_activation(rows, shape.in);
            const TensorPair out = twin.activation_tensor({rows, shape.out});
            twin.cpu().linear({.out = out.cpu, .in = in.cpu, .weight = weight.cpu});
            twin.cuda().linear({.out = out.cuda, .in = in.cuda, .weight = weight.cuda});
            // f32 weights are rounded to bf16 on CUDA.
            const double tolerance = shape.format == WeightFormat::f32 ? 5e-3 : kBfloatTolerance;
            twin.expect_close(out, tolerance, fmt::format("{} × {} → {}", rows, shape.in, shape.out));
        }
    }
}

TEST_F(LinearLayers, FullSizes) {
    struct Shape {
        int64_t out, in;
    };
    for (const Shape& shape : {Shape{6144, 2048}, Shape{2048, 2048}, Shape{2624, 6144}, Shape{6144, 1536}}) {
        Twin twin;
        const LinearPair weight = twin.linear(twin.matrix(shape.out, shape.in, WeightFormat::fp8_block128));
        for (int64_t rows : {1, 24, 150, 450}) {
            const ActivationPair in = twin.random_activation(rows, shape.in);
            const TensorPair out = twin.activation_tensor({rows, shape.out});
            twin.cpu().linear({.out = out.cpu, .in = in.cpu, .weight = weight.cpu});
            twin.cuda().linear({.out = out.cuda, .in = in.cuda, .weight = weight.cuda});
            twin.expect_close(out, kBfloatTolerance, fmt::format("{} × {} → {}", rows, shape.in, shape.out));
        }
    }
}

TEST_F(LinearLayers, FusedAAndQueryB) {
    for (int64_t hidden_size : {256, 6144})
        for (int64_t rows : {1, 20, 140, 450}) {
            Twin twin;
            const int64_t q_lora = hidden_size == 256 ? 128 : 2048, heads = 8;
            const LinearPair q_a = twin.linear(twin.matrix(q_lora, hidden_size, WeightFormat::fp8_block128));
            const LinearPair kv_a = twin.linear(twin.matrix(576, hidden_size, WeightFormat::fp8_block128));
            const LinearPair wk = twin.linear(twin.matrix(128, hidden_size, WeightFormat::bf16));
            const LinearPair projection = twin.linear(twin.matrix(32, hidden_size, WeightFormat::bf16));
            const ActivationPair hidden = twin.random_activation(rows, hidden_size);
            const TensorPair out_q = twin.activation_tensor({rows, q_lora}),
                             out_kv = twin.activation_tensor({rows, 576});
            const TensorPair out_k = twin.activation_tensor({rows, 128}), out_w = twin.output(DType::f32, {rows, 32});
            const float scale = 1.0f / 64;
            twin.cpu().fused_a({out_q.cpu, out_kv.cpu, out_k.cpu, out_w.cpu, hidden.cpu, q_a.cpu, kv_a.cpu, wk.cpu,
                                projection.cpu, scale});
            twin.cuda().fused_a({out_q.cuda, out_kv.cuda, out_k.cuda, out_w.cuda, hidden.cuda, q_a.cuda, kv_a.cuda,
                                 wk.cuda, projection.cuda, scale});
            twin.expect_close(out_q, kBfloatTolerance, "q_a");
            twin.expect_close(out_kv, kBfloatTolerance, "kv_a");
            twin.expect_close(out_k, kBfloatTolerance, "index_k");
            twin.expect_close(out_w, kSumTolerance, "index_weights");

            const LinearPair q_b = twin.linear(twin.matrix(heads * 256, q_lora, WeightFormat::fp8_block128));
            const LinearPair wq_b = twin.linear(twin.matrix(32 * 128, q_lora, WeightFormat::fp8_block128));
            const ActivationPair q_norm = twin.random_activation(rows, q_lora);
            const TensorPair q = twin.activation_tensor({rows, heads, 256}),
                             index_q = twin.activation_tensor({rows, 32, 128});
            twin.cpu().query_b({q.cpu, index_q.cpu, q_norm.cpu, q_b.cpu, wq_b.cpu});
            twin.cuda().query_b({q.cuda, index_q.cuda, q_norm.cuda, q_b.cuda, wq_b.cuda});
            twin.expect_close(q, kBfloatTolerance, "q");
            twin.expect_close(index_q, kBfloatTolerance, "index_q");
        }
}

TEST_F(LinearLayers, ValueUpAndItsFp8Form) {
    for (int64_t heads : {8, 64})
        for (int64_t rows : {1, 9, 70, 450}) {
            Twin twin;
            std::vector<Matrix> matrices;
            for (int64_t head = 0; head < heads; ++head) matrices.push_back(twin.matrix(256, 512, WeightFormat::bf16));
            const LinearPair v_up = twin.linear(matrices);
            const TensorPair latent = twin.random({rows, heads, 512});
            const ActivationPair out = twin.activation(rows, heads * 256);
            twin.cpu().value_up({.out = out.cpu, .latent = latent.cpu, .v_up = v_up.cpu});
            twin.cuda().value_up({.out = out.cuda, .latent = latent.cuda, .v_up = v_up.cuda});
            twin.expect_close(out.values(), kBfloatTolerance, "value_up");
            // Codes times scales give the values back to e4m3's precision.
            const QuantisedRows quantised = twin.cuda_quantised(out.cuda);
            const std::vector<float> values = twin.cuda_values(out.cuda.values);
            std::vector<float> restored;
            for (size_t i = 0; i < values.size(); ++i)
                restored.push_back(e4m3_to_f32(quantised.codes[i]) * quantised.scales[i / 128]);
            expect_close(restored, values, 0.04, "FP8 form of value_up");
        }
}

TEST_F(LinearLayers, HeadReadsTheWantedRows) {
    Twin twin;
    const int64_t tokens = 40, hidden = 256, vocabulary = 4224;
    const ActivationPair in = twin.random_activation(tokens, hidden);
    const LinearPair head = twin.linear(twin.matrix(vocabulary, hidden, WeightFormat::bf16));
    for (std::vector<int32_t> wanted : {std::vector<int32_t>{39}, {8, 0, 3, 3}}) {
        const TensorPair rows = twin.integers(wanted);
        const TensorPair logits = twin.output(DType::f32, {std::ssize(wanted), vocabulary});
        ops::Batch cpu_batch{.num_tokens = tokens, .num_logit_rows = static_cast<int>(wanted.size())},
            cuda_batch = cpu_batch;
        cpu_batch.logit_rows = rows.cpu, cuda_batch.logit_rows = rows.cuda;
        twin.cpu().lm_head({.logits = logits.cpu, .hidden = in.cpu, .head = head.cpu, .batch = &cpu_batch});
        twin.cuda().lm_head({.logits = logits.cuda, .hidden = in.cuda, .head = head.cuda, .batch = &cuda_batch});
        twin.expect_close(logits, kSumTolerance, "logits");
    }
}

class Experts : public CudaTest {
protected:
    struct GatedPair {
        ops::GatedMlp cpu, cuda;
    };
    GatedPair experts(Twin& twin, int64_t count, int64_t width, int64_t hidden) {
        std::vector<Matrix> gate, up, down;
        for (int64_t i = 0; i < count; ++i) {
            gate.push_back(twin.matrix(width, hidden, WeightFormat::fp8_block128));
            up.push_back(twin.matrix(width, hidden, WeightFormat::fp8_block128));
            down.push_back(twin.matrix(hidden, width, WeightFormat::fp8_block128));
        }
        const LinearPair g = twin.linear(gate), u = twin.linear(up), d = twin.linear(down);
        return {{g.cpu, u.cpu, d.cpu}, {g.cuda, u.cuda, d.cuda}};
    }
    static void shuffle(std::vector<int32_t>& values, Random& random) {
        for (int i = static_cast<int>(values.size()); i > 1; --i) std::swap(values[i - 1], values[random.below(i)]);
    }
    // The FP8 form of what stands between gate_up and down rounds some values the other way.
    static constexpr double kTolerance = 1e-2;
};

TEST_F(Experts, RoutedAndShared) {
    struct Case {
        int64_t hidden, width, num_experts;
        int slots;
        std::vector<int64_t> rows;
    };
    for (const Case& c :
         {Case{256, 128, 16, 4, {1, 5, 33, 300, 2100}}, Case{6144, 256, 24, 8, {1, 3, 40, 130, 1100}}}) {
        ops::StepLimits limits = full_limits();
        limits.max_tokens = 2304;
        Twin twin(LatentFormat::bf16, limits);
        const GatedPair routed = experts(twin, c.num_experts, c.width, c.hidden),
                        shared = experts(twin, 1, c.width, c.hidden);
        for (int64_t rows : c.rows)
            for (bool skewed : {false, true}) {
                std::vector<int32_t> ids, order(c.num_experts);
                std::iota(order.begin(), order.end(), 0);
                for (int64_t token = 0; token < rows; ++token) {
                    // Skewed: all tokens choose the same experts, and most experts have none.
                    if (!skewed || token == 0) shuffle(order, twin.generator());
                    ids.insert(ids.end(), order.begin(), order.begin() + c.slots);
                }
                std::vector<float> weights;
                for (size_t i = 0; i < ids.size(); ++i) weights.push_back(0.1f + 0.05f * static_cast<float>(i % 11));
                const TensorPair expert_ids = twin.integers(ids, {rows, c.slots});
                const TensorPair expert_weights = twin.floats(weights, {rows, c.slots});
                const ActivationPair in = twin.random_activation(rows, c.hidden);
                const TensorPair out = twin.activation_tensor({rows, c.hidden});
                twin.cpu().moe({out.cpu, in.cpu, expert_ids.cpu, expert_weights.cpu, routed.cpu, shared.cpu});
                twin.cuda().moe({out.cuda, in.cuda, expert_ids.cuda, expert_weights.cuda, routed.cuda, shared.cuda});
                twin.expect_close(out, kTolerance, fmt::format("{} rows of {}, skewed {}", rows, c.hidden, skewed));
            }
    }
}

TEST_F(Experts, DenseLayer) {
    for (auto [hidden, width] : {std::pair<int64_t, int64_t>{256, 512}, {6144, 1536}})
        for (int64_t rows : {1, 12, 100}) {
            Twin twin;
            const GatedPair weights = experts(twin, 1, width, hidden);
            const ActivationPair in = twin.random_activation(rows, hidden);
            const TensorPair out = twin.activation_tensor({rows, hidden});
            twin.cpu().dense_mlp({.out = out.cpu, .in = in.cpu, .weights = weights.cpu});
            twin.cuda().dense_mlp({.out = out.cuda, .in = in.cuda, .weights = weights.cuda});
            twin.expect_close(out, kTolerance, fmt::format("{} rows of {}", rows, hidden));
        }
}

}  // namespace
}  // namespace glm5::cuda_test
