// Sampler: logits → the accepted token of each sequence that wants one. Belongs to the rank worker's thread.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/backend.h"
#include "schedule/step_plan.h"

namespace glm5::sample {

class Sampler {
public:
    // Ids from num_vocab_tokens on are padding of the checkpoint and never chosen. `backend` outlives the sampler.
    Sampler(ops::Backend& backend, int max_num_rows, int num_vocab_tokens);

    // logits [rows, vocab_size]: row r belongs to the r-th sequence of the plan that wants a token.
    schedule::StepResult sample(const schedule::StepPlan& plan, const ops::Tensor& logits);

private:
    ops::Backend& backend_;
    ops::Tensor tokens_;  // [max_num_rows] i32
    int num_vocab_tokens_;
};

}  // namespace glm5::sample
