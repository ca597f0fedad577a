// What an op computes for a token is bitwise the same whatever else is in the step, however a prompt is cut into steps,
// and however many threads there are. A small layer runs through every op, under several plans, and each op's output
// for each token is compared.
#include <map>

#include "backend/support.h"

namespace glm5::backend_test {
namespace {

constexpr int64_t kHidden = 160, kQRank = 72, kHeads = 5, kNope = 24, kRope = 16, kLatent = 136, kVDim = 40;
constexpr int64_t kIndexHeads = 4, kIndexDim = 32, kTopK = 48, kExperts = 6, kSlots = 2, kWidth = 132,
                  kVocabulary = 150;
constexpr int kMaxTokens = 400, kMaxPages = 8;

struct Part {
    int sequence, tokens;
};
using Step = std::vector<Part>;

// Of each op's output, for each sequence and position.
using Outputs = std::map<std::pair<int, int>, std::vector<float>>;

class SmallLayer {
public:
    SmallLayer(InstructionSet set, const ops::Numerics& numerics, int threads)
        : device_(set, numerics, threads), numerics_(numerics) {
        const auto linear = [&](int64_t out, int64_t in, WeightFormat format) {
            return device_.linear(device_.matrix(out, in, format));
        };
        const auto batched = [&](int64_t count, int64_t out, int64_t in, WeightFormat format) {
            std::vector<Matrix> matrices;
            for (int64_t i = 0; i < count; ++i) matrices.push_back(device_.matrix(out, in, format));
            return device_.linear(matrices);
        };
        const auto fp8 = WeightFormat::fp8_block128;
        const auto bf16 = WeightFormat::bf16;
        table_ = device_.random({kVocabulary, kHidden});
        norm_ = device_.random({kHidden});
        frequencies_ = device_.random({kRope / 2});
        q_a_ = linear(kQRank, kHidden, fp8), kv_a_ = linear(kLatent + kRope, kHidden, fp8);
        wk_ = linear(kIndexDim, kHidden, bf16), index_weights_ = linear(kIndexHeads, kHidden, bf16);
        q_norm_ = device_.random({kQRank}), kv_norm_ = device_.random({kLatent});
        k_norm_ = device_.random({kIndexDim}), k_bias_ = device_.random({kIndexDim});
        q_b_ = linear(kHeads * (kNope + kRope), kQRank, fp8), wq_b_ = linear(kIndexHeads * kIndexDim, kQRank, fp8);
        absorb_ = batched(kHeads, kLatent, kNope, WeightFormat::f32), v_up_ = batched(kHeads, kVDim, kLatent, bf16);
        o_ = linear(kHidden, kHeads * kVDim, fp8), gate_ = linear(kExperts, kHidden, bf16);
        bias_ = device_.random({kExperts}, 0.01f);
        experts_ = {batched(kExperts, kWidth, kHidden, fp8), batched(kExperts, kWidth, kHidden, fp8),
                    batched(kExperts, kHidden, kWidth, fp8)};
        shared_ = {linear(kWidth, kHidden, fp8), linear(kWidth, kHidden, fp8), linear(kHidden, kWidth, fp8)};
        head_ = linear(kVocabulary, kHidden, bf16);
        const int64_t latent_bytes = numerics.latent == LatentFormat::f32    ? 4 * (kLatent + kRope)
                                     : numerics.latent == LatentFormat::bf16 ? 2 * (kLatent + kRope)
                                                                             : kLatent + 8 + 2 * kRope;
        const int64_t index_bytes = numerics.index_key == IndexKeyFormat::f32 ? 4 * kIndexDim : kIndexDim + 4;
        cache_.latent = {device_.tensor(DType::u8, {3 * kMaxPages, 64 * latent_bytes}).as<std::byte>(),
                         64 * latent_bytes};
        cache_.index_keys = {device_.tensor(DType::u8, {3 * kMaxPages, 64 * index_bytes}).as<std::byte>(),
                             64 * index_bytes};
        device_->prepare({.max_tokens = kMaxTokens,
                          .max_context_tokens = 64 * kMaxPages,
                          .max_logit_rows = kMaxTokens,
                          .max_width = 640,
                          .top_k = kTopK});
    }

    void run(const Step& step) {
        ops::Batch batch = make_batch(step);
        const int64_t rows = batch.num_tokens;
        const auto f = [&](std::initializer_list<int64_t> shape) { return device_.floats(shape); };
        const ops::Tensor residual = f({rows, kHidden}), cos_sin = f({rows, kRope / 2, 2}), delta = f({rows, kHidden});
        const ops::Activation hidden = device_.activation(rows, kHidden), q_norm = device_.activation(rows, kQRank);
        const ops::Activation attended = device_.activation(rows, kHeads * kVDim);
        const ops::Tensor q_a = f({rows, kQRank}), kv_a = f({rows, kLatent + kRope}), index_k = f({rows, kIndexDim});
        const ops::Tensor index_w = f({rows, kIndexHeads}), q = f({rows, kHeads, kNope + kRope});
        const ops::Tensor index_q = f({rows, kIndexHeads, kIndexDim}), query = f({rows, kHeads, kLatent + kRope});
        const ops::Tensor latent_out = f({rows, kHeads, kLatent}), logits = f({rows, kVocabulary});
        const ops::Selection selection{device_.tensor(DType::i32, {rows, kTopK}), device_.tensor(DType::i32, {rows})};
        const ops::Tensor ids = device_.tensor(DType::i32, {rows, kSlots}), weights = f({rows, kSlots});

        device_->embed({residual, table_, &batch});
        device_->rope_table({cos_sin, frequencies_, &batch});
        device_->add_norm({hidden, residual, {}, norm_, 1e-5f});
        device_->fused_a({q_a, kv_a, index_k, index_w, hidden, q_a_, kv_a_, wk_, index_weights_, 0.1f});
        device_->mla_prologue(
            {q_norm, cache_, q_a, kv_a, index_k, cos_sin, q_norm_, kv_norm_, k_norm_, k_bias_, 1e-5f, &batch});
        device_->query_b({q, index_q, q_norm, q_b_, wq_b_});
        device_->query_finish({query, index_q, index_w, q, index_q, cos_sin, absorb_});
        device_->index_select({selection, index_q, index_w, cache_, &batch});
        device_->sparse_mla({latent_out, query, cache_, selection, 0.15f, &batch});
        device_->value_up({attended, latent_out, v_up_});
        device_->linear({delta, attended, o_});
        record("hidden", hidden.values), record("q_a", q_a), record("kv_a", kv_a), record("index_k", index_k);
        record("q_norm", q_norm.values), record("q", q), record("query", query), record("index_q", index_q);
        record("index_weights", index_w), record("selection", selection.positions), record("counts", selection.counts);
        record("latent_out", latent_out), record("value_up", attended.values), record("linear", delta);
        device_->add_norm({hidden, residual, delta, norm_, 1e-5f});
        device_->route({ids, weights, hidden, gate_, bias_, 2.5f, true});
        device_->moe({delta, hidden, ids, weights, experts_, shared_});
        record("add_norm", hidden.values), record("expert_ids", ids), record("expert_weights", weights),
            record("moe", delta);
        device_->dense_mlp({delta, hidden, shared_});
        device_->lm_head({logits, hidden, head_, &batch});
        record("dense_mlp", delta), record("logits", logits);
    }

    const std::map<std::string, Outputs>& outputs() const { return outputs_; }

private:
    ops::Batch make_batch(const Step& step) {
        ops::Batch batch{.num_seqs = 3};
        std::vector<int32_t> ids, positions, sequences, slots, table, rows;
        where_.clear();
        for (const Part& part : step)
            for (int i = 0; i < part.tokens; ++i) {
                const int position = computed_[part.sequence]++;
                ids.push_back((position * 31 + part.sequence * 7 + position * position) % kVocabulary);
                positions.push_back(position);
                sequences.push_back(part.sequence);
                slots.push_back((part.sequence + 3 * (position / 64)) * 64 + position % 64);
                rows.push_back(static_cast<int32_t>(rows.size()));
                where_.push_back({part.sequence, position});
                batch.max_context_tokens = std::max(batch.max_context_tokens, position + 1);
            }
        for (int sequence = 0; sequence < 3; ++sequence)
            for (int page = 0; page < kMaxPages; ++page) table.push_back(sequence + 3 * page);
        batch.num_tokens = batch.num_logit_rows = static_cast<int>(ids.size());
        batch.token_ids = device_.integers(ids), batch.positions = device_.integers(positions);
        batch.sequence_ids = device_.integers(sequences), batch.slots = device_.integers(slots);
        batch.logit_rows = device_.integers(rows), batch.page_table = device_.integers(table);
        batch.page_table.rank = 2;
        batch.page_table.shape = {3, kMaxPages};
        return batch;
    }
    void record(const std::string& name, const ops::Tensor& tensor) {
        const int64_t width = tensor.columns();
        for (size_t row = 0; row < where_.size(); ++row) {
            const float* begin = tensor.as<float>() + static_cast<int64_t>(row) * width;
            outputs_[name][where_[row]] = {begin, begin + width};
        }
    }

    Device device_;
    const ops::Numerics numerics_;
    ops::Tensor table_, norm_, frequencies_, q_norm_, kv_norm_, k_norm_, k_bias_, bias_;
    ops::Linear q_a_, kv_a_, wk_, index_weights_, q_b_, wq_b_, absorb_, v_up_, o_, gate_, head_;
    ops::GatedMlp experts_, shared_;
    ops::LayerCache cache_;
    int computed_[3] = {};
    std::vector<std::pair<int, int>> where_;
    std::map<std::string, Outputs> outputs_;
};

// Every position that both runs computed has the same bits in every op.
void expect_same(const SmallLayer& a, const SmallLayer& b) {
    for (const auto& [name, outputs] : a.outputs())
        for (const auto& [where, values] : outputs) {
            const auto other = b.outputs().at(name).find(where);
            if (other == b.outputs().at(name).end()) continue;
            ASSERT_EQ(std::memcmp(values.data(), other->second.data(), values.size() * sizeof(float)), 0)
                << name << " of sequence " << where.first << ", position " << where.second;
        }
}

class Independence : public testing::TestWithParam<InstructionSet> {};

void compare_plans(InstructionSet set, const ops::Numerics& numerics) {
    SmallLayer whole(set, numerics, 1);  // each prompt in one step by itself
    whole.run({{0, 200}});
    whole.run({{1, 70}});
    whole.run({{2, 130}});
    const auto check = [&](int threads, const std::vector<Step>& steps) {
        SmallLayer other(set, numerics, threads);
        for (const Step& step : steps) other.run(step);
        expect_same(other, whole);
    };
    check(2, {{{0, 200}, {1, 70}, {2, 130}}});             // together
    check(3, {{{2, 130}, {0, 133}}, {{1, 70}, {0, 67}}});  // in another order, with a cut
    check(3, {{{0, 64}, {1, 64}}, {{0, 64}, {2, 64}}, {{0, 64}, {1, 6}, {2, 64}}});
    std::vector<Step> sevens, ones = {{{0, 120}, {1, 40}}};
    for (int i = 0; i < 28; ++i) sevens.push_back({{0, 7}, {i % 2 + 1, 5}});
    for (int i = 0; i < 15; ++i) ones.push_back({{1, 1}, {0, 1}});
    for (int i = 0; i < 15; ++i) ones.push_back({{0, 1}});
    check(2, sevens);
    check(1, ones);
    check(3, ones);
}

TEST_P(Independence, Float32) {
    compare_plans(GetParam(), {});
}
TEST_P(Independence, Bf16AndFp8) {
    compare_plans(GetParam(),
                  {ActivationFormat::bf16, LinearInput::fp8_1x128, LatentFormat::fp8_ds_mla, IndexKeyFormat::e4m3});
}
TEST_P(Independence, Bf16Latent) {
    compare_plans(GetParam(), {.activation = ActivationFormat::bf16, .latent = LatentFormat::bf16});
}

INSTANTIATE_TEST_SUITE_P(Sets, Independence, testing::ValuesIn(machine_sets()), set_name);

}  // namespace
}  // namespace glm5::backend_test
