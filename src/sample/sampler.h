// Sampler: logits → the accepted token of each sequence that wants one. Turns each sequence's Sampling into the op's
// parameters; the choice itself is ops/sample.h. Belongs to the rank worker's thread.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ops/backend.h"
#include "sample/token_history.h"
#include "schedule/step_plan.h"

namespace glm5::sample {

// Ids of one request whose logits are edited: logit_bias, stop_token_ids and the model's eos ids together.
inline constexpr int kMaxEdits = 1024;

struct SamplerLimits {
    int max_num_rows = 0;
    int max_model_len = 0;
    int num_vocab_tokens = 0;  // ids from here on are padding of the checkpoint and never chosen
};

class Sampler {
public:
    // `backend` outlives the sampler. Sequences bring at most kMaxEdits edits and max_model_len tokens.
    Sampler(ops::Backend& backend, const SamplerLimits& limits, std::vector<int32_t> eos_token_ids);

    // logits [rows, vocab_size]: row r belongs to the r-th sequence of the plan that wants a token.
    schedule::StepResult sample(const schedule::StepPlan& plan, const ops::Tensor& logits);

private:
    struct Edit {
        int32_t id;
        float value;
    };
    void collect(const schedule::StepPlan& plan);
    void append_edits(const schedule::Sequence& sequence);
    void append_history(const schedule::Sequence& sequence);
    ops::SampleParameters upload();

    ops::Backend& backend_;
    const SamplerLimits limits_;
    const std::vector<int32_t> eos_token_ids_;
    ops::Tensor tokens_;      // [max_num_rows] i32
    ops::Tensor parameters_;  // [capacity] i32: all of a step's parameters, one after the other, sent at once

    // Of the sequences with penalties that the last step sampled. One that pauses is counted again when it returns.
    std::unordered_map<schedule::SequenceId, TokenHistory> histories_;

    // The step's rows, as SampleParameters.
    std::vector<const schedule::Sequence*> rows_;
    std::vector<int32_t> edit_start_, edit_ids_, history_start_, history_ids_, history_counts_;
    std::vector<float> edit_values_;
    std::vector<Edit> edits_;      // of one row
    std::vector<int32_t> packed_;  // the host's copy of parameters_
};

}  // namespace glm5::sample
