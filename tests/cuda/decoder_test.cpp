// glm5-nano on a GPU, as a server runs it: golden continuations, recorded steps against the same steps launched one by
// one, steps that mix prompts and decodes, and hundreds of random steps under the scheduler.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "backend/cuda/cuda_backend.h"
#include "cache/layout.h"
#include "cuda/support.h"
#include "engine/rank_worker.h"
#include "engine/support.h"
#include "model/harness.h"
#include "schedule/scheduler.h"

namespace glm5::cuda_test {
namespace {

using model::ModelRun;
using model::TestSequence;
using Rows = ModelRun::Rows;
using Tokens = std::vector<int32_t>;

constexpr int kVocabTokens = 4132;  // the head's rows beyond are padding, never chosen

// docs/numerics.md: the last logits of an FP8 run against those in float32. Two FP8 runs are no closer to each other: a
// rounding to e4m3 that flips moves a value by 6 %.
constexpr float kLogitBound = 4;
// What may stand between two tokens of which rounding decides.
constexpr float kNearTie = 2;

std::unique_ptr<ops::Backend> cuda_backend(const ops::Numerics& numerics) {
    return cuda::make_cuda_backend(numerics, 0).value();
}

std::unique_ptr<ModelRun> open_nano(LatentFormat latent, bool on_gpu = true) {
    model::RunOptions options{.numerics = model::fp8_numerics(latent), .num_threads = 0, .num_pages = 224};
    if (on_gpu) options.make_backend = cuda_backend;
    return std::make_unique<ModelRun>("models/glm5-nano", options);
}

float largest_logit(std::span<const float> row) {
    return *std::max_element(row.begin(), row.begin() + kVocabTokens);
}

// How far `token` is behind the best.
float gap(std::span<const float> row, int32_t token) {
    return largest_logit(row) - row[token];
}

std::vector<float> last_logits(ModelRun& run, TestSequence& sequence, std::span<const int32_t> tokens) {
    std::vector<float> logits;
    for (size_t begin = 0; begin < tokens.size(); begin += 2048) {
        const auto chunk = tokens.subspan(begin, std::min<size_t>(2048, tokens.size() - begin));
        logits = run.step(std::vector<ModelRun::Part>{{&sequence, chunk}}, Rows::last);
    }
    return logits;
}

class DecoderTest : public CudaTest, public testing::WithParamInterface<LatentFormat> {};

// Each prompt in chunks of 2,048, then all of them together, the golden tokens given: the GPU chooses each of them, or one
// that is as good but for rounding.
TEST_P(DecoderTest, ChoosesTheGoldenTokens) {
    if (IsSkipped()) return;
    const auto run = open_nano(GetParam());
    run->repeat_decodes(true);
    const size_t vocab_size = run->config().vocab_size;
    std::vector<TestSequence> sequences(goldens().size());
    int num_tokens = 0, num_flipped = 0;
    const auto expect_choice = [&](std::span<const float> row, const Golden& golden, size_t index) {
        const float behind = gap(row, golden.greedy[index]);
        EXPECT_LE(behind, kNearTie) << golden.name << ", token " << index;
        ++num_tokens;
        num_flipped += behind > 0;
    };
    for (size_t p = 0; p < goldens().size(); ++p) {
        const Golden& golden = goldens()[p];
        const std::vector<float> logits = last_logits(*run, sequences[p], golden.prompt);
        const std::vector<float> expected =
            model::read_golden_f32("tests/fixtures/nano/nano-fp8.safetensors", golden.name + ".last_logits");
        const float difference = model::largest_difference(logits, expected);
        EXPECT_LE(difference, kLogitBound) << golden.name;
        RecordProperty(golden.name, fmt::format("logits {:.2f}", difference));
        expect_choice(logits, golden, 0);
    }
    for (size_t index = 0;; ++index) {
        std::vector<ModelRun::Part> parts;
        std::vector<const Golden*> stepped;
        for (size_t p = 0; p < goldens().size(); ++p) {
            const Golden& golden = goldens()[p];
            if (index + 1 >= golden.greedy.size()) continue;
            parts.push_back({&sequences[p], std::span(golden.greedy).subspan(index, 1)});
            stepped.push_back(&golden);
        }
        if (parts.empty()) break;
        const std::vector<float> logits = run->step(parts, Rows::last);
        for (size_t i = 0; i < parts.size(); ++i)
            expect_choice(std::span(logits).subspan(i * vocab_size, vocab_size), *stepped[i], index + 1);
    }
    EXPECT_LE(num_flipped, num_tokens / 20);
    RecordProperty("flipped", fmt::format("{} of {}", num_flipped, num_tokens));
}

TEST_P(DecoderTest, AgreesWithTheCpuInTheSameNumerics) {
    if (IsSkipped()) return;
    const auto gpu = open_nano(GetParam()), cpu = open_nano(GetParam(), false);
    for (const Golden& golden : goldens()) {
        if (golden.prompt.size() > 700) continue;
        TestSequence on_gpu, on_cpu;
        const std::vector<float> actual = gpu->prefill(on_gpu, golden.prompt, 256);
        const std::vector<float> expected = cpu->prefill(on_cpu, golden.prompt, 256);
        double error = 0, norm = 0;
        for (size_t i = 0; i < actual.size(); ++i) {
            error += std::pow(static_cast<double>(actual[i]) - expected[i], 2);
            norm += std::pow(static_cast<double>(expected[i]), 2);
        }
        const double relative = std::sqrt(error / norm);
        EXPECT_LE(relative, 0.1) << golden.name;
        RecordProperty(golden.name, fmt::format("relative {:.4f}", relative));
    }
}

// A recorded step reads tokens, positions and pages when it runs: the same bits as launch by launch, for the step that was
// recorded and for others of its shape.
TEST_P(DecoderTest, RecordedStepsAreTheSameBits) {
    if (IsSkipped()) return;
    const auto run = open_nano(GetParam());
    const Tokens& text = goldens()[6].prompt;
    ASSERT_GT(text.size(), 5000u);
    for (const auto& [num_seqs, context] : {std::pair{1, 1}, {1, 300}, {3, 700}, {8, 1000}, {17, 500}, {40, 200}, {4, 2500}}) {
        std::vector<TestSequence> sequences(num_seqs);
        for (int s = 0; s < num_seqs; ++s)  // of different lengths
            if (const int before = std::max(0, context - 1 - 3 * s); before > 0)
                last_logits(*run, sequences[s], std::span(text).subspan(11 * s, before));
        const auto step = [&](bool repeats, int first_token) {
            run->repeat_decodes(repeats);
            std::vector<ModelRun::Part> parts;
            for (int s = 0; s < num_seqs; ++s) parts.push_back({&sequences[s], std::span(text).subspan(first_token + s, 1)});
            return run->step(parts, Rows::last);
        };
        const auto rewind = [&] {
            for (TestSequence& sequence : sequences) --sequence.num_computed;
        };
        for (int round = 0; round < 3; ++round) {
            const std::vector<float> launched = step(false, 1000 + 100 * round);
            rewind();
            const std::vector<float> repeated = step(true, 1000 + 100 * round);
            EXPECT_TRUE(model::same_bits(launched, repeated)) << num_seqs << " of " << context << ", round " << round;
        }
        for (TestSequence& sequence : sequences) run->release(sequence);
    }
}

// A chunk of a prompt beside five decodes, against the chunk and the decodes in steps of their own.
TEST_P(DecoderTest, AMixedStepIsItsParts) {
    if (IsSkipped()) return;
    const auto run = open_nano(GetParam());
    const size_t vocab_size = run->config().vocab_size;
    const Tokens& text = goldens()[6].prompt;
    std::vector<TestSequence> sequences(6);
    std::vector<ModelRun::Part> parts;
    for (int s = 0; s < 5; ++s) {
        last_logits(*run, sequences[s], std::span(text).subspan(40 * s, 100 + 250 * s));
        parts.push_back({&sequences[s], std::span(text).subspan(140 + 290 * s, 1)});
    }
    last_logits(*run, sequences[5], std::span(text).first(333));
    parts.insert(parts.begin() + 2, {&sequences[5], std::span(text).subspan(333, 300)});
    const std::vector<float> together = run->step(parts, Rows::last);
    for (const ModelRun::Part& part : parts) part.sequence->num_computed -= static_cast<int>(part.tokens.size());
    std::vector<float> apart;
    for (const ModelRun::Part& part : parts) {
        const std::vector<float> row = run->step(std::vector<ModelRun::Part>{part}, Rows::last);
        apart.insert(apart.end(), row.begin(), row.end());
    }
    ASSERT_EQ(together.size(), 6 * vocab_size);
    const float difference = model::largest_difference(together, apart);
    EXPECT_LE(difference, kLogitBound);
    RecordProperty("logits", fmt::format("{:.3f}", difference));
}

std::string latent_name(const testing::TestParamInfo<LatentFormat>& info) {
    return std::string(latent_format_name(info.param));
}

INSTANTIATE_TEST_SUITE_P(Latents, DecoderTest, testing::Values(LatentFormat::bf16, LatentFormat::fp8_ds_mla), latent_name);

// Sequences of random lengths that come, share beginnings, give way and go, over a pool that does not hold them all.
class RandomServing {
public:
    RandomServing(LatentFormat latent, uint32_t seed)
        : checkpoint_(model::open_checkpoint("models/glm5-nano")), random_(seed) {
        const ops::Numerics numerics = model::fp8_numerics(latent);
        const auto layout = cache::Layout::compute(checkpoint_->config(), latent, numerics.index_key);
        worker_ = engine::RankWorker::open(cuda_backend(numerics), *checkpoint_, layout,
                                           {.max_num_seqs = kMaxSeqs,
                                            .max_num_batched_tokens = 300,
                                            .max_model_len = kMaxLen,
                                            .num_pages = kPages,
                                            .num_vocab_tokens = kVocabTokens,
                                            .repeat_decodes = true},
                                           {})
                      .value();
    }

    struct Finished {
        Tokens tokens;
        int prompt_len = 0;
    };
    std::vector<Finished> run(int num_steps) {
        for (int step = 0; step < num_steps; ++step) {
            if (scheduler_.num_waiting() < 8 && below(3) == 0) add();
            if (below(20) == 0) scheduler_.remove(1 + below(static_cast<int>(next_id_)));
            const schedule::StepPlan plan = scheduler_.plan();
            if (plan.empty()) continue;
            const schedule::StepResult result = worker_->run(plan);
            scheduler_.commit(plan);
            for (const auto& accepted : result.accepted) accept(accepted.id, accepted.token);
            const Status integrity = pool_.check_integrity();
            EXPECT_TRUE(integrity.ok()) << integrity.message() << ", step " << step;
            if (!integrity.ok()) break;
        }
        return std::move(finished_);
    }
    int64_t num_preemptions() const { return scheduler_.num_preemptions(); }

private:
    static constexpr int kMaxSeqs = 24, kMaxLen = 3000, kPages = 60;

    int below(int bound) { return static_cast<int>(random_() % static_cast<uint32_t>(bound)); }

    void add() {
        const Tokens& text = goldens()[6].prompt;
        auto sequence = std::make_unique<schedule::Sequence>();
        const int length = 1 + below(below(8) == 0 ? 2800 : 100), first = 640 * below(3);
        sequence->id = next_id_++;
        sequence->tokens.assign(text.begin() + first, text.begin() + first + length);
        sequence->prompt_len = length;
        sequence->max_len = length + 1 + below(300);
        scheduler_.add(std::move(sequence));
    }

    void accept(schedule::SequenceId id, int32_t token) {
        ASSERT_TRUE(token >= 0 && token < kVocabTokens) << token;
        schedule::Sequence& sequence = *scheduler_.find(id);
        sequence.tokens.push_back(token);
        if (sequence.token_len() < sequence.max_len) return;
        finished_.push_back({sequence.tokens, sequence.prompt_len});
        scheduler_.remove(id);
    }

    std::unique_ptr<load::Checkpoint> checkpoint_;
    std::unique_ptr<engine::RankWorker> worker_;
    cache::PagePool pool_{kPages};
    schedule::Scheduler scheduler_{
        {.max_num_seqs = kMaxSeqs, .max_num_batched_tokens = 300, .prefix_caching = true}, pool_};
    std::mt19937 random_;
    schedule::SequenceId next_id_ = 1;
    std::vector<Finished> finished_;
};

// What was chosen, computed once more in one piece: each token is the best there, or as good but for rounding.
TEST_P(DecoderTest, RandomStepsChooseWhatOnePieceChooses) {
    if (IsSkipped()) return;
    RandomServing serving(GetParam(), 5);
    const std::vector<RandomServing::Finished> finished = serving.run(500);
    ASSERT_GT(finished.size(), 20u);
    EXPECT_GT(serving.num_preemptions(), 0);

    const auto run = open_nano(GetParam());
    const size_t vocab_size = run->config().vocab_size;
    int num_tokens = 0, num_flipped = 0;
    float largest = 0;
    for (const auto& [tokens, prompt_len] : finished) {
        TestSequence sequence;
        const std::vector<float> logits = run->prefill(sequence, std::span(tokens).first(tokens.size() - 1), 2048);
        for (size_t i = prompt_len; i < tokens.size(); ++i) {
            const float behind = gap(std::span(logits).subspan((i - 1) * vocab_size, vocab_size), tokens[i]);
            largest = std::max(largest, behind);
            num_flipped += behind > 0;
            ++num_tokens;
        }
        run->release(sequence);
    }
    EXPECT_LE(largest, kLogitBound);
    EXPECT_LE(num_flipped, num_tokens / 10);
    RecordProperty("flipped", fmt::format("{} of {}, by {:.2f} at most", num_flipped, num_tokens, largest));
}

using CudaEngineTest = CudaTest;

// The whole engine: sizes from the device's memory, recorded steps, eight prompts of 11 to 5,987 tokens at once.
TEST_F(CudaEngineTest, ServesGoldenContinuations) {
    EngineOptions options = nano_options();
    options.kv_cache_bytes = 0;
    options.gpu_memory_utilization = 0.3;
    const auto opened =
        Engine::open(options, cuda_backend(model::fp8_numerics(LatentFormat::bf16)));
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    Engine& engine = **opened;
    const EngineStats stats = engine.stats();
    const auto spare = cuda_backend(model::fp8_numerics(LatentFormat::bf16));
    const auto device_bytes = static_cast<double>(spare->memory_use().device_bytes);
    EXPECT_GT(static_cast<double>(stats.memory.kv_cache), 0.2 * device_bytes);
    EXPECT_LT(static_cast<double>(stats.memory.all()), 0.3 * device_bytes);

    std::vector<Collector> collectors(goldens().size());
    for (size_t i = 0; i < goldens().size(); ++i)
        ASSERT_TRUE(engine.submit(request_for(goldens()[i]), collectors[i].sink()).ok());
    int num_equal = 0;
    for (size_t i = 0; i < goldens().size(); ++i) {
        EXPECT_NE(collectors[i].wait(), FinishReason::error);
        num_equal += collectors[i].tokens() == goldens()[i].greedy;
    }
    EXPECT_GE(num_equal, 7) << "rounding may decide a near tie, and the rest follows it";
    EXPECT_EQ(engine.stats().pages_used, 0);
    EXPECT_FALSE(engine.stats().failed);
}

// More keys than the backend keeps: the one used the longest ago is recorded again.
TEST_F(CudaEngineTest, OldRecordingsGiveWay) {
    const auto backend = cuda_backend(model::fp8_numerics(LatentFormat::bf16));
    const ops::Tensor out = backend->allocate(DType::f32, {1, 32, 2}), positions = backend->allocate(DType::i32, {1});
    std::vector<float> frequencies(32);
    for (size_t i = 0; i < frequencies.size(); ++i) frequencies[i] = 1.0f / static_cast<float>(i + 1);
    const ops::Tensor inverse = backend->make_vector(frequencies);
    ops::Batch batch;
    batch.num_tokens = batch.num_seqs = 1;
    batch.positions = positions;
    int num_recorded = 0;
    const auto expect_repeats = [&](uint64_t key, bool recorded) {
        const int32_t position = 1 + static_cast<int32_t>(key);
        backend->copy_to_device(positions, &position, sizeof position);
        const int before = num_recorded;
        backend->repeat(key, [&] {
            ++num_recorded;
            backend->rope_table({.cos_sin = out, .inverse_frequency = inverse, .batch = &batch});
        });
        EXPECT_EQ(num_recorded - before, recorded ? 1 : 0) << key;
        float values[2];
        backend->copy_to_host(values, out, sizeof values);
        EXPECT_NEAR(values[0], std::cos(static_cast<float>(position)), 1e-6f) << key;
    };
    for (uint64_t key = 0; key < 128; ++key) expect_repeats(key, true);
    expect_repeats(0, false);
    expect_repeats(1000, true);  // in place of 1
    expect_repeats(0, false);
    expect_repeats(1, true);
}

}  // namespace
}  // namespace glm5::cuda_test
