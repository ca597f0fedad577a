// sample: one token per row of logits, exactly as docs/sampling.md defines it. Every backend chooses the same token from
// the same logits: the random numbers and the logarithm are those of ops/sampling_math.h.
//
// Per row, in float32, over the ids below num_vocab_tokens (those beyond are padding of the checkpoint):
//  1. logit += edit of that id (a bias, or -inf for an id that must not be chosen);
//  2. ids in the history: logit = logit > 0 ? logit / repetition : logit · repetition; then
//     logit -= frequency · count + presence · (count > 0), count being how often the completion has it;
//  3. temperature 0: the largest logit, ties to the lower id. Otherwise x = logit / temperature, and
//  4. min_p: ids with exp(x - max x) < min_p go;
//  5. top_k: the k largest x stay, ties to the lower id;
//  6. top_p: ordered by (x descending, id ascending), an id stays while the mass before it is below top_p of all that
//     steps 4 and 5 left;
//  7. the largest x + gumbel(seed, position, id) of what stayed, ties to the lower id.
// A NaN logit counts as -inf. A row without any finite logit gives id 0.
#pragma once

#include "ops/batch.h"
#include "ops/tensor.h"

namespace glm5::ops {

// Device memory, one entry per row.
struct SampleParameters {
    Tensor temperature;         // [rows] f32
    Tensor top_p;               // [rows] f32, 1 = off
    Tensor min_p;               // [rows] f32, 0 = off
    Tensor top_k;               // [rows] i32, 0 = off
    Tensor repetition_penalty;  // [rows] f32, 1 = off
    Tensor presence_penalty;    // [rows] f32
    Tensor frequency_penalty;   // [rows] f32
    Tensor seed;                // [rows] i64, of the choice
    Tensor position;            // [rows] i32: index in its sequence of the token to be chosen

    // The edits of row r are entries edit_start[r] … edit_start[r + 1] - 1; each id at most once.
    Tensor edit_start;   // [rows + 1] i32
    Tensor edit_ids;     // [num_edits] i32
    Tensor edit_values;  // [num_edits] f32

    // The history of row r, likewise: every id of prompt and completion once; empty when no penalty applies.
    Tensor history_start;   // [rows + 1] i32
    Tensor history_ids;     // [num_history] i32
    Tensor history_counts;  // [num_history] i32: times in the completion
};

struct SampleArgs {
    Tensor tokens;  // out [rows] i32
    Tensor logits;  // [rows, vocab_size] f32; overwritten
    SampleParameters parameters;
    int num_vocab_tokens = 0;
};

}  // namespace glm5::ops
