// BatchBuilder: StepPlan → the step buffers of one device. Owns the buffers, which are allocated once for the limits
// and filled each step. Belongs to the rank worker's thread.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/backend.h"
#include "schedule/step_plan.h"

namespace glm5::batch {

struct BatchLimits {
    int max_num_seqs = 0;
    int max_num_tokens = 0;
    int max_context_tokens = 0;
};

class BatchBuilder {
public:
    // `backend` outlives the builder.
    BatchBuilder(ops::Backend& backend, const BatchLimits& limits);

    // The device's view of `plan`, valid until the next call. A row of logits stands for each sequence that wants a
    // token, in the plan's order.
    ops::Batch build(const schedule::StepPlan& plan);

private:
    // One i32 buffer: filled on the host, copied whole.
    struct Field {
        ops::Tensor device;         // [capacity]
        std::vector<int32_t> host;  // what the step uses of it
    };
    Field make_field(int64_t capacity);
    ops::Tensor upload(const Field& field);

    ops::Backend& backend_;
    BatchLimits limits_;
    Field token_ids_, positions_, sequence_ids_, slots_, query_start_, context_len_, page_table_, logit_rows_;
};

}  // namespace glm5::batch
