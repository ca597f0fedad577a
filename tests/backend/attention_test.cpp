// index_select and sparse_mla over caches of several sequences whose pages lie scattered, against float64.
#include <algorithm>
#include <numeric>

#include "backend/support.h"

namespace glm5::backend_test {
namespace {

// Sequences with some tokens in the cache, of which the last query_len are the step's.
struct Sequence {
    int context, query_len;
};

class Attention : public testing::TestWithParam<InstructionSet> {
protected:
    // Pages of the sequences are dealt out in turn, so that none has neighbouring ones.
    ops::Batch make_batch(Device& device, const std::vector<Sequence>& sequences) {
        ops::Batch batch{.num_seqs = static_cast<int>(sequences.size())};
        std::vector<int32_t> positions, ids, starts = {0};
        int max_pages = 1;
        for (const Sequence& sequence : sequences) max_pages = std::max(max_pages, (sequence.context + 63) / 64);
        std::vector<int32_t> table(sequences.size() * max_pages, 1 << 30);
        num_pages = 0;
        for (int page = 0; page < max_pages; ++page)
            for (size_t i = 0; i < sequences.size(); ++i)
                if (page * 64 < sequences[i].context) table[i * max_pages + page] = num_pages++;
        for (size_t i = 0; i < sequences.size(); ++i) {
            for (int j = 0; j < sequences[i].query_len; ++j) {
                positions.push_back(sequences[i].context - sequences[i].query_len + j);
                ids.push_back(static_cast<int32_t>(i));
            }
            starts.push_back(static_cast<int32_t>(positions.size()));
            batch.max_context_tokens = std::max(batch.max_context_tokens, sequences[i].context);
        }
        batch.num_tokens = static_cast<int>(positions.size());
        batch.positions = device.integers(positions);
        batch.sequence_ids = device.integers(ids);
        batch.query_start = device.integers(starts);
        batch.page_table = device.integers(table);
        batch.page_table.rank = 2;
        batch.page_table.shape = {static_cast<int64_t>(sequences.size()), max_pages};
        return batch;
    }
    static int64_t slot_of(const ops::Batch& batch, int token, int position) {
        const int64_t page =
            batch.page_table
                .as<int32_t>()[batch.sequence_ids.as<int32_t>()[token] * batch.page_table.shape[1] + position / 64];
        return page * 64 + position % 64;
    }
    int num_pages = 0;
};

std::vector<int32_t> row_of(const ops::Tensor& tensor, int64_t row) {
    const int64_t width = tensor.columns();
    return {tensor.as<int32_t>() + row * width, tensor.as<int32_t>() + (row + 1) * width};
}

class IndexSelect : public Attention {
protected:
    // Runs the op, and checks each choice against scores in float64: what is chosen is ascending, as many as there must
    // be, and nothing left out scores higher by more than rounding.
    void check(const ops::Numerics& numerics, const std::vector<Sequence>& sequences, int heads, int dim, int top_k) {
        Device device(GetParam(), numerics);
        const ops::Batch batch = make_batch(device, sequences);
        const bool e4m3 = numerics.index_key == IndexKeyFormat::e4m3;
        const int64_t page_bytes = 64 * (e4m3 ? dim + 4 : 4 * dim);
        const ops::Tensor pages = device.tensor(DType::u8, {num_pages, page_bytes});
        std::vector<double> keys(int64_t{num_pages} * 64 * dim);  // as read back, by slot
        std::normal_distribution<float> normal;
        for (int64_t slot = 0; slot < int64_t{num_pages} * 64; ++slot) {
            std::byte* page = pages.as<std::byte>() + slot / 64 * page_bytes;
            const float scale = e4m3 ? std::exp2(static_cast<float>(slot % 3) - 8.0f) : 1.0f;
            for (int64_t i = 0; i < dim; ++i) {
                float value = normal(device.generator());
                if (e4m3) {
                    const uint8_t code = f32_to_e4m3(value * 64);
                    page[slot % 64 * dim + i] = std::byte{code};
                    value = e4m3_to_f32(code) * scale;
                } else {
                    std::memcpy(page + (i * 64 + slot % 64) * 4, &value, 4);
                }
                keys[slot * dim + i] = value;
            }
            if (e4m3) std::memcpy(page + 64 * dim + slot % 64 * 4, &scale, 4);
        }
        const ops::Tensor index_q = device.random({batch.num_tokens, heads, dim});
        const ops::Tensor weights = device.random({batch.num_tokens, heads});
        const ops::Selection selection{.positions = device.tensor(DType::i32, {batch.num_tokens, top_k}),
                                       .counts = device.tensor(DType::i32, {batch.num_tokens})};
        device->index_select({.selection = selection,
                              .index_query = index_q,
                              .index_weights = weights,
                              .cache = {.latent = {}, .index_keys = {pages.as<std::byte>(), page_bytes}},
                              .batch = &batch});

        for (int token = 0; token < batch.num_tokens; ++token) {
            const int position = batch.positions.as<int32_t>()[token], count = std::min(top_k, position + 1);
            ASSERT_EQ(selection.counts.as<int32_t>()[token], count);
            const std::vector<int32_t> chosen = row_of(selection.positions, token);
            std::vector<bool> is_chosen(position + 1);
            for (int i = 0; i < top_k; ++i) {
                if (i >= count) {
                    ASSERT_EQ(chosen[i], -1);
                    continue;
                }
                ASSERT_TRUE(chosen[i] >= 0 && chosen[i] <= position && (i == 0 || chosen[i] > chosen[i - 1])) << token;
                is_chosen[chosen[i]] = true;
            }
            std::vector<double> scores;
            double least_chosen = INFINITY, most_left = -INFINITY, magnitude = 0;
            for (int s = 0; s <= position; ++s) {
                double score = 0;
                for (int h = 0; h < heads; ++h) {
                    double dot = 0;
                    for (int i = 0; i < dim; ++i)
                        dot += index_q.as<float>()[(int64_t{token} * heads + h) * dim + i] *
                               keys[slot_of(batch, token, s) * dim + i];
                    score += weights.as<float>()[token * heads + h] * std::max(0.0, dot);
                }
                magnitude = std::max(magnitude, std::fabs(score));
                (is_chosen[s] ? least_chosen : most_left) =
                    is_chosen[s] ? std::min(least_chosen, score) : std::max(most_left, score);
            }
            ASSERT_GE(least_chosen, most_left - 1e-5 * magnitude) << "token " << token;
        }
    }
};

TEST_P(IndexSelect, ChoosesTheLargestScores) {
    for (IndexKeyFormat format : {IndexKeyFormat::f32, IndexKeyFormat::e4m3}) {
        const ops::Numerics numerics{.index_key = format};
        check(numerics, {{1, 1}}, 4, 32, 16);
        check(numerics, {{40, 40}}, 4, 32, 16);  // a whole prompt, from before top_k on
        check(numerics, {{16, 1}, {17, 1}, {64, 1}, {65, 1}, {128, 2}}, 4, 32, 16);  // borders of top_k and of pages
        check(numerics, {{130, 20}, {300, 1}, {5, 5}, {200, 70}}, 3, 24, 16);        // ragged
        check(numerics, {{700, 1}}, 32, 128, 256);
        check(numerics, {{2100, 1}, {600, 35}}, 5, 40, 64);
        check(numerics, {{400, 150}}, 1, 16, 1);  // more tokens than a group
    }
}

TEST_P(IndexSelect, EqualScoresGoToTheLowerPosition) {
    for (int top_k : {1, 5, 64, 100}) {
        Device device(GetParam(), {});
        const int context = 300;
        const ops::Batch batch = make_batch(device, {{context, 1}});
        // Keys of one value each: scores 0, 1 or 2 by position, many equal.
        const ops::Tensor pages = device.floats({num_pages, 8, 64});
        std::memset(pages.data, 0, pages.bytes());
        std::vector<int> level;
        for (int s = 0; s < context; ++s) {
            level.push_back(s % 7 == 3 ? 2 : s % 3 == 0 ? 1 : 0);
            pages.as<float>()[slot_of(batch, 0, s) / 64 * 8 * 64 + slot_of(batch, 0, s) % 64] =
                static_cast<float>(level[s]);
        }
        const ops::Tensor index_q = device.floats({1, 2, 8}), weights = device.floats({1, 2});
        std::fill_n(index_q.as<float>(), 16, 1.0f);
        std::fill_n(weights.as<float>(), 2, 1.0f);
        const ops::Selection selection{device.tensor(DType::i32, {1, top_k}), device.tensor(DType::i32, {1})};
        device->index_select({.selection = selection,
                              .index_query = index_q,
                              .index_weights = weights,
                              .cache = {.latent = {}, .index_keys = {pages.as<std::byte>(), 8 * 64 * 4}},
                              .batch = &batch});
        std::vector<int32_t> order(context);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return level[a] > level[b]; });
        order.resize(top_k);
        std::sort(order.begin(), order.end());
        EXPECT_EQ(row_of(selection.positions, 0), order);
    }
}

TEST_P(IndexSelect, NanScoresComeLast) {
    Device device(GetParam(), {});
    const ops::Batch batch = make_batch(device, {{200, 1}});
    const ops::Tensor pages = device.random({num_pages, 16, 64});
    const ops::Tensor index_q = device.random({1, 2, 16}), weights = device.floats({1, 2});
    weights.as<float>()[0] = weights.as<float>()[1] = INFINITY;  // 0 · ∞ is NaN wherever both products are negative
    const ops::Selection selection{device.tensor(DType::i32, {1, 8}), device.tensor(DType::i32, {1})};
    device->index_select({.selection = selection,
                          .index_query = index_q,
                          .index_weights = weights,
                          .cache = {.latent = {}, .index_keys = {pages.as<std::byte>(), 16 * 64 * 4}},
                          .batch = &batch});
    for (int32_t position : row_of(selection.positions, 0)) {
        double dots[2] = {};
        for (int h = 0; h < 2; ++h)
            for (int i = 0; i < 16; ++i)
                dots[h] +=
                    index_q.as<float>()[h * 16 + i] * pages.as<float>()[slot_of(batch, 0, position) / 64 * 16 * 64 +
                                                                        i * 64 + slot_of(batch, 0, position) % 64];
        EXPECT_TRUE(dots[0] > 0 && dots[1] > 0) << position;
    }
}

class SparseMla : public Attention {
protected:
    void check(const ops::Numerics& numerics, const std::vector<Sequence>& sequences, int heads, int latent, int rope,
               int top_k) {
        Device device(GetParam(), numerics);
        const bool bf16 = device.rounds();
        const ops::Batch batch = make_batch(device, sequences);
        const int dim = latent + rope, blocks = (latent + 127) / 128;
        const int64_t entry_bytes = numerics.latent == LatentFormat::f32    ? 4 * dim
                                    : numerics.latent == LatentFormat::bf16 ? 2 * dim
                                                                            : latent + 4 * blocks + 2 * rope;
        const ops::Tensor pages = device.tensor(DType::u8, {num_pages, 64 * entry_bytes});
        std::vector<double> entries(int64_t{num_pages} * 64 * dim);
        std::normal_distribution<float> normal;
        for (int64_t slot = 0; slot < int64_t{num_pages} * 64; ++slot) {
            std::byte* entry = pages.as<std::byte>() + slot * entry_bytes;
            const float scale = std::exp2(static_cast<float>(slot % 4) - 7.0f) * 1.1f;
            for (int i = 0; i < dim; ++i) {
                float value = normal(device.generator());
                const uint16_t half = f32_to_bf16(value);
                if (numerics.latent == LatentFormat::f32) {
                    std::memcpy(entry + 4 * i, &value, 4);
                } else if (numerics.latent == LatentFormat::bf16 || i >= latent) {
                    value = bf16_to_f32(half);
                    const int64_t offset =
                        numerics.latent == LatentFormat::bf16 ? 2 * i : latent + 4 * blocks + 2 * (i - latent);
                    std::memcpy(entry + offset, &half, 2);
                } else {
                    const uint8_t code = f32_to_e4m3(value * 64);
                    entry[i] = std::byte{code};
                    std::memcpy(entry + latent + i / 128 * 4, &scale, 4);
                    value = e4m3_to_f32(code) * scale;
                }
                entries[slot * dim + i] = value;
            }
        }
        const ops::SparseMlaArgs args{.latent_out = device.floats({batch.num_tokens, heads, latent}),
                                      .query = device.random({batch.num_tokens, heads, dim}),
                                      .cache = {.latent = {pages.as<std::byte>(), 64 * entry_bytes}, .index_keys = {}},
                                      .selection = {device.tensor(DType::i32, {batch.num_tokens, top_k}),
                                                    device.tensor(DType::i32, {batch.num_tokens})},
                                      .scale = 0.2f,
                                      .batch = &batch};
        std::vector<double> expected;
        for (int token = 0; token < batch.num_tokens; ++token) {
            std::vector<int32_t> all(batch.positions.as<int32_t>()[token] + 1), chosen;
            std::iota(all.begin(), all.end(), 0);
            std::sample(all.begin(), all.end(), std::back_inserter(chosen), top_k, device.generator());
            std::copy(chosen.begin(), chosen.end(), args.selection.positions.as<int32_t>() + token * top_k);
            args.selection.counts.as<int32_t>()[token] = static_cast<int32_t>(chosen.size());
            for (int h = 0; h < heads; ++h) {
                const float* query = args.query.as<float>() + (int64_t{token} * heads + h) * dim;
                std::vector<double> p, out(latent);
                for (int32_t s : chosen)
                    p.push_back(args.scale * std::inner_product(query, query + dim,
                                                                entries.begin() + slot_of(batch, token, s) * dim, 0.0));
                const double top = *std::max_element(p.begin(), p.end());
                double total = 0;
                for (double& value : p) total += value = std::exp(value - top);
                for (size_t i = 0; i < chosen.size(); ++i)
                    for (int j = 0; j < latent; ++j)
                        out[j] += rounded_if(bf16, p[i] / total) * entries[slot_of(batch, token, chosen[i]) * dim + j];
                for (double value : out) expected.push_back(rounded_if(bf16, value));
            }
        }
        device->sparse_mla(args);
        expect_close(args.latent_out, expected, tolerance(bf16), bf16,
                     fmt::format("{} heads, latent {}, top {}", heads, latent, top_k));
    }
};

TEST_P(SparseMla, WeighsTheChosenLatents) {
    for (ActivationFormat activation : {ActivationFormat::f32, ActivationFormat::bf16})
        for (LatentFormat format : {LatentFormat::f32, LatentFormat::bf16, LatentFormat::fp8_ds_mla}) {
            const ops::Numerics numerics{.activation = activation, .latent = format};
            check(numerics, {{1, 1}}, 4, 32, 16, 16);
            check(numerics, {{40, 40}}, 4, 32, 16, 16);
            check(numerics, {{63, 1}, {64, 1}, {65, 2}, {130, 3}}, 8, 512, 64, 64);
            check(numerics, {{300, 7}, {20, 20}, {129, 1}}, 3, 200, 6, 33);
            check(numerics, {{500, 1}}, 13, 36, 20, 256);
        }
}

TEST_P(SparseMla, ExtremeScoresStayFinite) {
    Device device(GetParam(), {});
    const ops::Batch batch = make_batch(device, {{3, 1}});
    const ops::Tensor pages = device.random({num_pages, 64, 48});
    ops::SparseMlaArgs args{.latent_out = device.floats({1, 2, 32}),
                            .query = device.random({1, 2, 48}, 1e4f),
                            .cache = {.latent = {pages.as<std::byte>(), 64 * 48 * 4}, .index_keys = {}},
                            .selection = {device.integers({0, 1, 2}), device.integers({3})},
                            .scale = 1.0f,
                            .batch = &batch};
    args.selection.positions.rank = 2;
    args.selection.positions.shape = {1, 3};
    device->sparse_mla(args);
    for (float value : values_of(args.latent_out)) EXPECT_TRUE(std::isfinite(value));
    args.query.as<float>()[0] = NAN;  // reaches its own head alone
    device->sparse_mla(args);
    EXPECT_TRUE(std::isnan(args.latent_out.as<float>()[0]));
    EXPECT_TRUE(std::isfinite(args.latent_out.as<float>()[32]));
}

INSTANTIATE_TEST_SUITE_P(Sets, IndexSelect, testing::ValuesIn(machine_sets()), set_name);
INSTANTIATE_TEST_SUITE_P(Sets, SparseMla, testing::ValuesIn(machine_sets()), set_name);

}  // namespace
}  // namespace glm5::backend_test
