// BatchBuilder: StepPlan → the step buffers of one device. Owns the buffers, which are allocated once for the limits
// and filled each step. Belongs to the rank worker's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
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
    //
    // Where every sequence brings one token and wants the next, max_context_tokens is not the longest context but the
    // bound of its class (context_bound), and so is the width of the page table: as sequences grow, their steps stay
    // alike (repeat_key).
    ops::Batch build(const schedule::StepPlan& plan);

private:
    // Room for `count` values behind what the step has taken, the same on the host and on the device.
    struct Field {
        std::span<int32_t> host;
        ops::Tensor device;
    };
    Field take(int64_t count);
    int context_bound(const schedule::StepPlan& plan) const;

    ops::Backend& backend_;
    const BatchLimits limits_;
    ops::Tensor device_;         // [capacity] i32: the fields of a step, one after the other, sent at once
    std::vector<int32_t> host_;  // [capacity]
    int64_t taken_ = 0;
};

// Contexts are as good as equal up to the same power of two, from here on.
inline constexpr int kLeastContextBound = 2048;

// Of a batch in which every sequence brings one token and wants the next: batches of one builder with equal keys differ in
// nothing but what device memory holds, as Backend::repeat requires. None of any other batch.
std::optional<uint64_t> repeat_key(const ops::Batch& batch);

}  // namespace glm5::batch
