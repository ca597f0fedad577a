// The public value types of the engine: what goes in (Request), what comes out (Event), and what is served (ModelInfo).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace glm5 {

using RequestId = uint64_t;
using TimePoint = std::chrono::steady_clock::time_point;

// How tokens are chosen and when a sequence ends. docs/sampling.md has the exact definition; the defaults are greedy.
struct Sampling {
    float temperature = 0;  // ≥ 0; 0 = the largest logit, ties to the lower id
    float top_p = 1;        // (0, 1]
    int top_k = 0;          // 0 = off
    float min_p = 0;        // [0, 1]
    float repetition_penalty = 1;  // > 0; over prompt and completion
    float presence_penalty = 0;    // over the completion
    float frequency_penalty = 0;   // over the completion
    std::vector<std::pair<int32_t, float>> logit_bias;  // token id, added to its logit
    uint64_t seed = 0;      // same seed, same tokens, whatever else runs

    int max_tokens = 0;                   // ≥ 1
    int min_tokens = 0;                   // no eos and no stop token before
    bool ignore_eos = false;              // eos ids of the model are never chosen
    std::vector<int32_t> stop_token_ids;  // end it besides the model's eos ids
};

struct Request {
    std::vector<int32_t> prompt;  // token ids, at least one
    Sampling sampling;
    int num_choices = 1;   // completions of the one prompt; choice i draws from hash(seed, i)
    int64_t priority = 0;  // lower runs first
};

enum class FinishReason {
    none,       // more events follow
    stop,       // an eos or stop token; it is the last token of the event
    length,     // max_tokens reached, or the context is full
    cancelled,  // by the caller
    error       // the engine failed; Event::error says why
};

// Progress of one choice of a request. A choice's last event has a finish reason; none follows it.
struct Event {
    int choice = 0;
    std::vector<int32_t> tokens;  // accepted since the event before
    FinishReason finish_reason = FinishReason::none;
    int cached_prompt_tokens = 0;  // of the prompt, found in the prefix cache
    std::string error;
    // When the choice was submitted, was first part of a step, and this event was made.
    TimePoint queued, scheduled, time;
};

// Of a model, for requests that do not say.
struct SamplingDefaults {
    float temperature = 1;
    float top_p = 1;
};

struct ModelInfo {
    std::string directory;
    int max_model_len = 0;     // tokens of prompt and completion together
    int num_vocab_tokens = 0;  // ids that can be sampled
    std::vector<int32_t> eos_token_ids;
    SamplingDefaults sampling_defaults;
    std::string kv_cache_dtype;
    bool prefix_caching = true;
};

// Bytes that a rank holds of its device's memory.
struct MemoryStats {
    int64_t weights = 0;
    int64_t step_buffers = 0;
    int64_t kv_cache = 0;
    int64_t workspaces = 0;  // so far: some are made at their first use

    int64_t all() const { return weights + step_buffers + kv_cache + workspaces; }
};

struct EngineStats {
    int running = 0;
    int waiting = 0;
    int deferred = 0;          // of those waiting: choices whose prompt another choice computes
    int64_t pages_used = 0;   // by sequences
    int64_t pages_cached = 0;  // by nothing but the prefix cache
    int64_t pages_total = 0;
    bool failed = false;  // the device can run nothing any more
    MemoryStats memory;
    // Since start.
    int64_t prompt_tokens = 0;           // computed
    int64_t generated_tokens = 0;
    int64_t prefix_query_tokens = 0;     // looked up in the prefix cache
    int64_t prefix_hit_tokens = 0;       // found there
    int64_t preemptions = 0;
};

// One step of the engine, for metrics.
struct StepStats {
    double seconds = 0;      // without planning
    int prefill_tokens = 0;  // of sequences that compute their prompt, or what was preempted, again
    int decode_tokens = 0;
};

}  // namespace glm5
