#include "sample/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/sampling_math.h"

namespace glm5::sample {
namespace {

using schedule::Sequence;

constexpr int64_t kWordsPerRow = 12;  // a seed of two words, eight scalars, two starts

int64_t parameter_capacity(const SamplerLimits& limits) {
    const int64_t history = std::min(limits.max_model_len, limits.num_vocab_tokens);
    return limits.max_num_rows * (kWordsPerRow + 2 * kMaxEdits + 2 * history) + 2;
}

bool has_penalty(const Sampling& sampling) {
    return sampling.repetition_penalty != 1 || sampling.presence_penalty != 0 || sampling.frequency_penalty != 0;
}

// Lays arrays of four- and eight-byte values one after the other into `packed`, and hands out their places on the device.
class Packer {
public:
    Packer(std::vector<int32_t>& packed, const ops::Tensor& device) : packed_(packed), device_(device) { packed.clear(); }

    template <typename T>
    ops::Tensor append(const std::vector<T>& values, DType dtype) {
        const size_t begin = packed_.size(), words = values.size() * sizeof(T) / sizeof(int32_t);
        packed_.resize(begin + words);
        if (words > 0) std::memcpy(packed_.data() + begin, values.data(), words * sizeof(int32_t));
        return {device_.as<int32_t>() + begin, dtype, {static_cast<int64_t>(values.size())}};
    }
    // f(sequence) of every row.
    template <typename Function>
    ops::Tensor append_each(const std::vector<const Sequence*>& rows, DType dtype, const Function& f) {
        std::vector<decltype(f(*rows[0]))> values;
        for (const Sequence* sequence : rows) values.push_back(f(*sequence));
        return append(values, dtype);
    }

private:
    std::vector<int32_t>& packed_;
    const ops::Tensor& device_;
};

}  // namespace

Sampler::Sampler(ops::Backend& backend, const SamplerLimits& limits, std::vector<int32_t> eos_token_ids)
    : backend_(backend),
      limits_(limits),
      eos_token_ids_(std::move(eos_token_ids)),
      tokens_(backend.allocate(DType::i32, {limits.max_num_rows})),
      parameters_(backend.allocate(DType::i32, {parameter_capacity(limits)})) {}

schedule::StepResult Sampler::sample(const schedule::StepPlan& plan, const ops::Tensor& logits) {
    collect(plan);
    schedule::StepResult result;
    if (rows_.empty()) return result;

    const ops::Tensor tokens = tokens_.first_rows(static_cast<int64_t>(rows_.size()));
    backend_.sample({.tokens = tokens,
                     .logits = logits,
                     .parameters = upload(),
                     .num_vocab_tokens = limits_.num_vocab_tokens});
    std::vector<int32_t> chosen(rows_.size());
    backend_.copy_to_host(chosen.data(), tokens, tokens.bytes());
    for (size_t i = 0; i < chosen.size(); ++i) result.accepted.push_back({.id = rows_[i]->id, .token = chosen[i]});
    return result;
}

void Sampler::collect(const schedule::StepPlan& plan) {
    rows_.clear();
    for (auto* list : {&edit_start_, &edit_ids_, &history_start_, &history_ids_, &history_counts_}) list->clear();
    edit_values_.clear();
    std::unordered_map<schedule::SequenceId, TokenHistory> earlier;
    earlier.swap(histories_);
    for (const auto& planned : plan.sequences) {
        if (!planned.wants_token) continue;
        const Sequence& sequence = *planned.sequence;
        rows_.push_back(&sequence);
        edit_start_.push_back(static_cast<int32_t>(edit_ids_.size()));
        history_start_.push_back(static_cast<int32_t>(history_ids_.size()));
        append_edits(sequence);
        if (!has_penalty(sequence.sampling)) continue;
        if (auto known = earlier.extract(sequence.id)) histories_.insert(std::move(known));
        append_history(sequence);
    }
    edit_start_.push_back(static_cast<int32_t>(edit_ids_.size()));
    history_start_.push_back(static_cast<int32_t>(history_ids_.size()));
}

// Each id once: a mask goes before a bias, and of two biases the first counts.
void Sampler::append_edits(const Sequence& sequence) {
    const Sampling& sampling = sequence.sampling;
    const bool is_short = sequence.completion_len() < sampling.min_tokens;
    edits_.clear();
    if (is_short || sampling.ignore_eos)
        for (int32_t id : eos_token_ids_) edits_.push_back({id, -INFINITY});
    if (is_short)
        for (int32_t id : sampling.stop_token_ids) edits_.push_back({id, -INFINITY});
    for (const auto& [id, bias] : sampling.logit_bias) edits_.push_back({id, bias});
    GLM5_CHECK(edits_.size() <= kMaxEdits, "{} edits", edits_.size());

    std::stable_sort(edits_.begin(), edits_.end(), [](const Edit& a, const Edit& b) { return a.id < b.id; });
    int32_t last = -1;  // ids that no token has are skipped
    for (const Edit& edit : edits_) {
        if (edit.id <= last || edit.id >= limits_.num_vocab_tokens) continue;
        edit_ids_.push_back(last = edit.id);
        edit_values_.push_back(edit.value);
    }
}

void Sampler::append_history(const Sequence& sequence) {
    TokenHistory& history = histories_[sequence.id];
    history.follow(sequence);
    history_ids_.insert(history_ids_.end(), history.ids().begin(), history.ids().end());
    history_counts_.insert(history_counts_.end(), history.counts().begin(), history.counts().end());
}

ops::SampleParameters Sampler::upload() {
    const auto of_sampling = [](auto member) { return [=](const Sequence& s) { return s.sampling.*member; }; };
    Packer packer(packed_, parameters_);
    ops::SampleParameters parameters;
    // The seeds are first: they are aligned there.
    parameters.seed = packer.append_each(rows_, DType::i64, [](const Sequence& s) {
        return ops::choice_seed(s.sampling.seed, static_cast<uint32_t>(schedule::choice_of(s.id)));
    });
    parameters.position = packer.append_each(rows_, DType::i32, [](const Sequence& s) { return s.token_len(); });
    parameters.temperature = packer.append_each(rows_, DType::f32, of_sampling(&Sampling::temperature));
    parameters.top_p = packer.append_each(rows_, DType::f32, of_sampling(&Sampling::top_p));
    parameters.min_p = packer.append_each(rows_, DType::f32, of_sampling(&Sampling::min_p));
    parameters.top_k = packer.append_each(rows_, DType::i32, of_sampling(&Sampling::top_k));
    parameters.repetition_penalty = packer.append_each(rows_, DType::f32, of_sampling(&Sampling::repetition_penalty));
    parameters.presence_penalty = packer.append_each(rows_, DType::f32, of_sampling(&Sampling::presence_penalty));
    parameters.frequency_penalty = packer.append_each(rows_, DType::f32, of_sampling(&Sampling::frequency_penalty));
    parameters.edit_start = packer.append(edit_start_, DType::i32);
    parameters.edit_ids = packer.append(edit_ids_, DType::i32);
    parameters.edit_values = packer.append(edit_values_, DType::f32);
    parameters.history_start = packer.append(history_start_, DType::i32);
    parameters.history_ids = packer.append(history_ids_, DType::i32);
    parameters.history_counts = packer.append(history_counts_, DType::i32);
    backend_.copy_to_device(parameters_, packed_.data(), static_cast<int64_t>(packed_.size() * sizeof(int32_t)));
    return parameters;
}

}  // namespace glm5::sample
