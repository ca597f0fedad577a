// sample: one token per row of logits, exactly as docs/sampling.md defines it. Every backend chooses the same token
// from the same logits: its arithmetic is that of ops/sampling_math.h, whose names stand below.
//
// Per row, in float32, over the ids below num_vocab_tokens (those beyond are padding of the checkpoint):
//  1. logit += edit of that id (a bias, or -inf for an id that must not be chosen);
//  2. ids in the history: logit = penalised(logit, …);
//  3. logit = usable_logit(logit): NaN becomes -inf, +inf the largest float. Without any finite logit the token is 0;
//  4. temperature 0: the largest logit, ties to the lower id. Otherwise x = (logit - largest logit) / temperature, and
//     ids whose x is -inf go;
//  5. min_p: ids with sampling_exp(x) < min_p go;
//  6. top_k: the k largest x stay, ties to the lower id;
//  7. top_p < 1: ordered by (x descending, id ascending), an id stays while within_top_p(sum of mass(x) before it,
//     top_p, sum of mass(x) of all that steps 5 and 6 left);
//  8. the largest x + gumbel(random_word(seed, position, id)) of what stayed, ties to the lower id.
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

    // The edits of row r are entries edit_start[r] … edit_start[r + 1] - 1; each id at most once, below
    // num_vocab_tokens.
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
    Tensor logits;  // [at least rows, vocab_size] f32; overwritten
    SampleParameters parameters;
    int num_vocab_tokens = 0;
};

}  // namespace glm5::ops
