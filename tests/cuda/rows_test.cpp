// embed, rope_table, add_norm, quantise, mla_prologue, rotate_queries and route_select.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend/cuda/norm/norm.h"
#include "backend/cuda/rotate/rotate.h"
#include "backend/cuda/route_select/route_select.h"
#include "backend/cuda/shapes.h"
#include "cuda/support.h"

namespace glm5::cuda_test {
namespace {

class Rows : public CudaTest {};

TEST_F(Rows, EmbedCopiesRows) {
    Twin twin;
    for (int64_t width : {256, 6144}) {
        const std::vector<int32_t> ids = {6, 0, 3, 6, 127, 1, 2};
        const auto rows = std::ssize(ids);
        ops::Batch cpu_batch{.num_tokens = static_cast<int>(rows)};
        ops::Batch cuda_batch = cpu_batch;
        const TensorPair token_ids = twin.integers(ids);
        cpu_batch.token_ids = token_ids.cpu, cuda_batch.token_ids = token_ids.cuda;
        for (const TensorPair& table : {twin.random({128, width}), twin.random_floats({128, width})}) {
            const TensorPair hidden = twin.activation_tensor({rows, width});
            twin.cpu().embed({.hidden = hidden.cpu, .table = table.cpu, .batch = &cpu_batch});
            twin.cuda().embed({.hidden = hidden.cuda, .table = table.cuda, .batch = &cuda_batch});
            EXPECT_EQ(twin.cuda_values(hidden.cuda), twin.cpu_values(hidden.cpu)) << width;
        }
    }
}

TEST_F(Rows, RopeTableReducesTheFullRange) {
    Twin twin;
    std::vector<float> frequencies;
    for (int i = 0; i < 32; ++i) frequencies.push_back(static_cast<float>(std::pow(1e6, -i / 32.0)));
    const std::vector<int32_t> positions = {0, 1, 63, 64, 8191, 105615, 105616, 202751, 1048575};
    const auto rows = std::ssize(positions);
    ops::Batch batch{.num_tokens = static_cast<int>(rows)};
    batch.positions = twin.integers(positions).cuda;
    const TensorPair table = twin.output(DType::f32, {rows, 32, 2});
    twin.cuda().rope_table({.cos_sin = table.cuda, .inverse_frequency = twin.floats(frequencies, {32}).cuda, .batch = &batch});
    const std::vector<float> values = twin.cuda_values(table.cuda);
    for (int64_t t = 0; t < rows; ++t)
        for (int64_t i = 0; i < 32; ++i) {
            const float angle = static_cast<float>(positions[t]) * frequencies[i];
            EXPECT_NEAR(values[(t * 32 + i) * 2], std::cos(static_cast<double>(angle)), 1.5e-7) << angle;
            EXPECT_NEAR(values[(t * 32 + i) * 2 + 1], std::sin(static_cast<double>(angle)), 1.5e-7) << angle;
        }
}

struct NormTensors {
    ActivationPair out;
    TensorPair residual, delta, weight;
};

NormTensors norm_tensors(Twin& twin, int64_t rows, int64_t width) {
    return {twin.activation(rows, width), twin.random({rows, width}, 3), twin.random({rows, width}),
            twin.random_floats({width})};
}

void add_norm_on_both(Twin& twin, const NormTensors& tensors, bool with_delta) {
    const float eps = 1e-5f;
    twin.cpu().add_norm({.out = tensors.out.cpu,
                         .residual = tensors.residual.cpu,
                         .delta = with_delta ? tensors.delta.cpu : ops::Tensor(),
                         .weight = tensors.weight.cpu,
                         .eps = eps});
    twin.cuda().add_norm({.out = tensors.out.cuda,
                          .residual = tensors.residual.cuda,
                          .delta = with_delta ? tensors.delta.cuda : ops::Tensor(),
                          .weight = tensors.weight.cuda,
                          .eps = eps});
}

TEST_F(Rows, AddNorm) {
    Twin twin;
    for (int64_t width : {128, 256, 1984, 2048, 6144, 12288})
        for (int64_t rows : {1, 3, 65, 301})
            for (bool with_delta : {true, false}) {
                const std::string what = fmt::format("{} rows of {}, delta {}", rows, width, with_delta);
                const NormTensors tensors = norm_tensors(twin, rows, width);
                const std::vector<float> residual = twin.cpu_values(tensors.residual.cpu);
                add_norm_on_both(twin, tensors, with_delta);
                EXPECT_EQ(twin.cuda_values(tensors.residual.cuda), twin.cpu_values(tensors.residual.cpu)) << what;
                EXPECT_EQ(twin.cuda_values(tensors.residual.cuda) == residual, !with_delta) << what;
                twin.expect_close(tensors.out.values(), kBfloatTolerance, what);
                if (tensors.out.cuda.quantised) expect_fp8_form(twin, tensors.out.cuda, what);
            }
}

TEST_F(Rows, AddNormOfZeros) {
    Twin twin;
    const NormTensors tensors = norm_tensors(twin, 2, 6144);
    const std::vector<float> zeros(2 * 6144);
    twin.set(tensors.residual, zeros);
    add_norm_on_both(twin, tensors, false);
    EXPECT_EQ(twin.cuda_values(tensors.out.cuda.values), zeros);
    expect_fp8_form(twin, tensors.out.cuda, "zeros");
}

TEST_F(Rows, AddNormOfARowDoesNotDependOnOthers) {
    Twin twin;
    const NormTensors many = norm_tensors(twin, 400, 6144);
    NormTensors few = norm_tensors(twin, 2, 6144);
    few.weight = many.weight;
    const auto copy_first = [&](const TensorPair& to, const TensorPair& from) {
        std::vector<float> values = twin.cpu_values(from.cpu);
        values.resize(to.cpu.elements());
        twin.set(to, values);
    };
    copy_first(few.residual, many.residual);
    copy_first(few.delta, many.delta);
    add_norm_on_both(twin, few, true);
    add_norm_on_both(twin, many, true);
    std::vector<float> first = twin.cuda_values(many.out.cuda.values);
    first.resize(2 * 6144);
    EXPECT_EQ(twin.cuda_values(few.out.cuda.values), first);
}

TEST_F(Rows, Quantise) {
    Twin twin;
    for (int64_t width : {128, 2048, 12288, 16384})
        for (int64_t rows : {1, 5, 64, 130}) {
            const ActivationPair activation = twin.activation(rows, width);
            std::vector<float> values(rows * width);
            for (float& value : values)
                value = round_bf16(twin.generator().normal() * std::ldexp(1.0f, twin.generator().below(40) - 20));
            std::fill_n(values.begin(), 128, 0.0f);
            for (int i = 0; i < 128 && rows > 1; ++i) values[width + i] = round_bf16(values[width + i] * 1e-30f);
            twin.set(activation.values(), values);
            run_kernel([&](const cuda::Launch& launch) {
                cuda::quantise(launch, {.codes = activation.cuda.quantised.as<uint8_t>(),
                                        .scales = activation.cuda.scales.as<float>(),
                                        .values = activation.cuda.values.as<cuda::bf16>(),
                                        .rows = rows,
                                        .width = width});
            });
            expect_fp8_form(twin, activation.cuda, fmt::format("{} rows of {}", rows, width));
        }
}

// What the entries of slots mean, and how many bytes outside them were written.
struct CacheContent {
    std::vector<float> latents, ropes, index_keys;
    int64_t strayed = 0;
};

float float_at(const uint8_t* bytes) {
    float value;
    std::memcpy(&value, bytes, 4);
    return value;
}
float bf16_at(const uint8_t* bytes) {
    uint16_t value;
    std::memcpy(&value, bytes, 2);
    return bf16_to_f32(value);
}

CacheContent content(std::vector<uint8_t> latent, std::vector<uint8_t> index, const std::vector<int32_t>& slots, bool fp8,
                     bool with_index) {
    CacheContent result;
    const int entry_bytes = fp8 ? cuda::kFp8EntryBytes : cuda::kBf16EntryBytes;
    for (int32_t slot : slots) {
        uint8_t* entry = &latent[int64_t{slot} * entry_bytes];
        for (int i = 0; i < cuda::kLatentDim; ++i)
            result.latents.push_back(fp8 ? e4m3_to_f32(entry[i]) * float_at(entry + cuda::kLatentDim + i / 128 * 4)
                                         : bf16_at(entry + 2 * i));
        for (int i = 0; i < cuda::kRopeDim; ++i) result.ropes.push_back(bf16_at(entry + entry_bytes - 128 + 2 * i));
        std::memset(entry, 0xff, entry_bytes);
        if (!with_index) continue;
        uint8_t* page = &index[slot / kPageTokens * kPageTokens * (cuda::kIndexDim + 4)];
        uint8_t* key = page + slot % kPageTokens * cuda::kIndexDim;
        uint8_t* scale = page + kPageTokens * cuda::kIndexDim + slot % kPageTokens * 4;
        for (int i = 0; i < cuda::kIndexDim; ++i)
            result.index_keys.push_back(e4m3_to_f32(key[i]) * float_at(scale));
        std::memset(key, 0xff, cuda::kIndexDim);
        std::memset(scale, 0xff, 4);
    }
    for (const auto& bytes : {latent, index})
        result.strayed += std::ssize(bytes) - std::count(bytes.begin(), bytes.end(), 0xff);
    return result;
}

void check_prologue(LatentFormat format, int64_t q_width, const std::vector<Sequence>& sequences, bool with_index) {
    Twin twin(format);
    const BatchPair batch = twin.batch(sequences);
    const int64_t rows = batch.cpu.num_tokens;
    const ActivationPair q_norm = twin.activation(rows, q_width);
    const CachePair cache = twin.cache(batch.num_pages);
    const TensorPair q_a = twin.random({rows, q_width}), kv_a = twin.random({rows, cuda::kQueryDim}, 2);
    const TensorPair index_k = with_index ? twin.random({rows, cuda::kIndexDim}) : TensorPair();
    std::vector<float> turns;
    for (int64_t i = 0; i < rows * cuda::kRopeDim / 2; ++i) {
        const float angle = twin.generator().uniform(-3, 3);
        turns.push_back(std::cos(angle)), turns.push_back(std::sin(angle));
    }
    const TensorPair cos_sin = twin.floats(turns, {rows, cuda::kRopeDim / 2, 2});
    const TensorPair q_weight = twin.random_floats({q_width}), kv_weight = twin.random_floats({cuda::kLatentDim});
    const TensorPair k_weight = twin.random_floats({cuda::kIndexDim}), k_bias = twin.random_floats({cuda::kIndexDim});
    const auto run = [&](ops::Backend& backend, ops::Tensor TensorPair::*side, const ops::Activation& out,
                         const ops::LayerCache& pages, const ops::Batch& step) {
        backend.mla_prologue({.q_norm = out,
                              .cache = pages,
                              .q_a = q_a.*side,
                              .kv_a = kv_a.*side,
                              .index_k = index_k.*side,
                              .cos_sin = cos_sin.*side,
                              .q_a_norm_weight = q_weight.*side,
                              .kv_a_norm_weight = kv_weight.*side,
                              .index_k_norm_weight = with_index ? k_weight.*side : ops::Tensor(),
                              .index_k_norm_bias = with_index ? k_bias.*side : ops::Tensor(),
                              .eps = 1e-5f,
                              .batch = &step});
    };
    run(twin.cpu(), &TensorPair::cpu, q_norm.cpu, cache.cpu, batch.cpu);
    run(twin.cuda(), &TensorPair::cuda, q_norm.cuda, cache.cuda, batch.cuda);

    const std::string what = fmt::format("{}, q {}, {} tokens", latent_format_name(format), q_width, rows);
    twin.expect_close(q_norm.values(), kBfloatTolerance, what);
    expect_fp8_form(twin, q_norm.cuda, what);
    const bool fp8 = format == LatentFormat::fp8_ds_mla;
    const std::vector<int32_t> slots = twin.cpu_integers(batch.cpu.slots);
    const CacheContent expected = content(twin.cpu_bytes(cache.latent.cpu), twin.cpu_bytes(cache.index_keys.cpu), slots,
                                          fp8, with_index);
    const CacheContent actual = content(twin.cuda_bytes(cache.latent.cuda), twin.cuda_bytes(cache.index_keys.cuda),
                                        slots, fp8, with_index);
    EXPECT_EQ(actual.strayed, 0) << what;
    expect_close(actual.latents, expected.latents, 4e-3, what + ", latents");
    expect_close(actual.ropes, expected.ropes, kBfloatTolerance, what + ", rotated keys");
    expect_close(actual.index_keys, expected.index_keys, 4e-3, what + ", index keys");
}

TEST_F(Rows, MlaPrologue) {
    for (LatentFormat format : {LatentFormat::bf16, LatentFormat::fp8_ds_mla})
        for (int64_t q_width : {128, 2048})
            for (bool with_index : {true, false}) {
                check_prologue(format, q_width, {{.context_len = 1, .query_len = 1}}, with_index);
                check_prologue(format, q_width,
                               {{.context_len = 64, .query_len = 1},
                                {.context_len = 65, .query_len = 3},
                                {.context_len = 130, .query_len = 130}},
                               with_index);
            }
}

TEST_F(Rows, RotateQueries) {
    for (int64_t heads : {8, 12, 64})
        for (int64_t rows : {1, 5, 67})
            for (bool with_index : {true, false}) {
                Twin twin;
                const TensorPair q = twin.random({rows, heads, cuda::kNopeDim + cuda::kRopeDim});
                const TensorPair query = twin.activation_tensor({rows, heads, cuda::kQueryDim});
                const TensorPair cos_sin = twin.random_floats({rows, cuda::kRopeDim / 2, 2});
                TensorPair index_q, index_query, index_weights;
                if (with_index) {
                    index_q = twin.random({rows, cuda::kIndexHeads, cuda::kIndexDim});
                    index_query = twin.index_query_tensor({rows, cuda::kIndexHeads, cuda::kIndexDim});
                    index_weights = twin.random_floats({rows, cuda::kIndexHeads});
                }
                std::vector<Matrix> absorb(heads, twin.matrix(cuda::kLatentDim, cuda::kNopeDim, ops::WeightFormat::bf16));
                std::vector<ops::HostMatrixView> views;
                for (const Matrix& matrix : absorb) views.push_back(matrix.view());
                twin.cpu().query_finish({.query = query.cpu,
                                         .index_query = index_query.cpu,
                                         .index_weights = index_weights.cpu,
                                         .q = q.cpu,
                                         .index_q = index_q.cpu,
                                         .cos_sin = cos_sin.cpu,
                                         .absorb_k = twin.cpu().make_linear(views)});
                run_kernel([&](const cuda::Launch& launch) {
                    cuda::rotate_queries(launch, {.query = query.cuda.as<cuda::bf16>(),
                                                  .index_query = index_query.cuda.as<uint8_t>(),
                                                  .index_weights = index_weights.cuda.as<float>(),
                                                  .q = q.cuda.as<cuda::bf16>(),
                                                  .index_q = index_q.cuda.as<cuda::bf16>(),
                                                  .cos_sin = cos_sin.cuda.as<float>(),
                                                  .rows = rows,
                                                  .num_heads = heads});
                });
                const std::vector<float> expected = twin.cpu_values(query.cpu), actual = twin.cuda_values(query.cuda);
                std::vector<float> expected_ropes, ropes;
                for (int64_t i = 0; i < rows * heads * cuda::kQueryDim; ++i) {
                    if (i % cuda::kQueryDim < cuda::kLatentDim) {
                        ASSERT_TRUE(std::isnan(actual[i])) << i;
                        continue;
                    }
                    expected_ropes.push_back(expected[i]);
                    ropes.push_back(actual[i]);
                }
                const std::string what = fmt::format("{} rows of {} heads", rows, heads);
                expect_close(ropes, expected_ropes, kBfloatTolerance, what);
                if (!with_index) continue;
                twin.expect_close(index_query, 4e-3, what + ", index queries");
                twin.expect_close(index_weights, 1e-6, what + ", index weights");
            }
}

struct Routing {
    std::vector<int32_t> ids;
    std::vector<float> weights;
};

Routing route(Twin& twin, const std::vector<float>& logits, const std::vector<float>& bias, int top_k, bool normalise) {
    const auto experts = std::ssize(bias), rows = std::ssize(logits) / experts;
    const TensorPair ids = twin.output(DType::i32, {rows, top_k}), weights = twin.output(DType::f32, {rows, top_k});
    const TensorPair logit_tensor = twin.floats(logits, {rows, experts}), bias_tensor = twin.floats(bias, {experts});
    run_kernel([&](const cuda::Launch& launch) {
        cuda::route_select(launch, {.expert_ids = ids.cuda.as<int32_t>(),
                                    .expert_weights = weights.cuda.as<float>(),
                                    .logits = logit_tensor.cuda.as<float>(),
                                    .bias = bias_tensor.cuda.as<float>(),
                                    .rows = rows,
                                    .num_experts = static_cast<int>(experts),
                                    .top_k = top_k,
                                    .scaling = 2.5f,
                                    .normalise = normalise});
    });
    return {twin.cuda_integers(ids.cuda), twin.cuda_values(weights.cuda)};
}

// Slots are in descending order of g + bias, nothing better was left out, and the weights are those of the gates.
TEST_F(Rows, RouteSelect) {
    Twin twin;
    for (const auto& [experts, top_k] : {std::pair{16, 4}, {256, 8}, {100, 1}, {40, 32}})
        for (bool normalise : {true, false}) {
            const int rows = 131;
            std::vector<float> logits(rows * experts), bias(experts);
            for (float& value : logits) value = twin.generator().normal() * 2;
            for (float& value : bias) value = twin.generator().normal() * 0.1f;
            const Routing routing = route(twin, logits, bias, top_k, normalise);
            for (int row = 0; row < rows; ++row) {
                std::vector<double> gates, choices;
                for (int i = 0; i < experts; ++i) {
                    gates.push_back(1 / (1 + std::exp(-static_cast<double>(logits[row * experts + i]))));
                    choices.push_back(gates.back() + bias[i]);
                }
                double total = 0, last = INFINITY;
                std::vector<double> left = choices;
                for (int slot = 0; slot < top_k; ++slot) {
                    const int id = routing.ids[row * top_k + slot];
                    ASSERT_TRUE(id >= 0 && id < experts && left[id] > -INFINITY) << id;
                    ASSERT_LE(choices[id], last + 1e-6);
                    last = choices[id], left[id] = -INFINITY, total += gates[id];
                }
                ASSERT_LE(*std::max_element(left.begin(), left.end()), last + 1e-6);
                for (int slot = 0; slot < top_k; ++slot) {
                    const double gate = gates[routing.ids[row * top_k + slot]];
                    ASSERT_NEAR(routing.weights[row * top_k + slot], 2.5 * (normalise ? gate / total : gate), 2e-6);
                }
            }
        }
}

TEST_F(Rows, RouteSelectTiesGoToTheLowerExpert) {
    Twin twin;
    std::vector<float> logits(256, -1.0f), bias(256, 0.0f);
    for (int expert : {200, 31, 32, 77, 5}) logits[expert] = 2;
    const Routing routing = route(twin, logits, bias, 8, true);
    EXPECT_EQ(routing.ids, (std::vector<int32_t>{5, 31, 32, 77, 200, 0, 1, 2}));
    bias.assign(256, NAN);
    bias[9] = bias[130] = 0;
    EXPECT_EQ(route(twin, logits, bias, 4, true).ids, (std::vector<int32_t>{9, 130, 0, 1}));
}

}  // namespace
}  // namespace glm5::cuda_test
