// The public value types of the engine: what goes in (Request), what comes out (Event), and what is served (ModelInfo).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace glm5 {

using RequestId = uint64_t;

// How tokens are chosen and when a request ends. Choice is greedy: the largest logit, ties to the lower id.
struct Sampling {
    int max_tokens = 0;                   // ≥ 1
    bool ignore_eos = false;              // eos ids of the model do not end the request
    std::vector<int32_t> stop_token_ids;  // end it besides the model's eos ids
};

struct Request {
    std::vector<int32_t> prompt;  // token ids, at least one
    Sampling sampling;
};

enum class FinishReason {
    none,       // more events follow
    stop,       // an eos or stop token; it is the last token of the event
    length,     // max_tokens reached, or the context is full
    cancelled,  // by the caller
    error       // the engine failed; Event::error says why
};

// Progress of one request. The last event has a finish reason; none follows it.
struct Event {
    std::vector<int32_t> tokens;  // accepted since the event before
    FinishReason finish_reason = FinishReason::none;
    std::string error;
};

struct ModelInfo {
    std::string directory;
    int max_model_len = 0;     // tokens of prompt and completion together
    int num_vocab_tokens = 0;  // ids that can be sampled
    std::vector<int32_t> eos_token_ids;
};

struct EngineStats {
    int running = 0;
    int waiting = 0;
    int64_t pages_used = 0;
    int64_t pages_total = 0;
    int64_t prompt_tokens = 0;      // computed since start
    int64_t generated_tokens = 0;   // since start
};

}  // namespace glm5
