// Engine: runs one checkpoint. The only seam between the server and everything below it.
//
// Threads: open and the destructor belong to one thread; submit, cancel, stats and info may be called from any. Events
// are delivered on the engine's thread: a sink only hands them over, and never blocks or calls the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "glm5/types.h"

namespace glm5 {

namespace ops {
class Backend;
}
namespace plan {
struct Plan;
}

struct EngineOptions {
    std::string model_directory;
    int num_vocab_tokens = 0;           // tokens in tokenizer.json; ids beyond are padding and never sampled
    int max_model_len = 0;              // 0 = the config's limit, or what the cache holds when that is less
    int max_num_batched_tokens = 2048;  // tokens in a step
    int max_num_seqs = 128;             // sequences in a step
    int max_queued_requests = 4096;     // that wait or run; submit refuses more
    int64_t kv_cache_bytes = 0;         // 0 = what is left of a GPU's memory, 2 GiB on the CPU
    double gpu_memory_utilization = 1;  // share of a GPU's memory that may be used
    bool enable_prefix_caching = true;
    bool enforce_eager = false;  // a GPU repeats no recorded steps
    std::string dump_activations_directory;  // empty = none; one file per layer tensor and step
    std::function<void(const plan::Plan&)> on_plan;  // before anything is loaded, and also when it does not fit
    std::function<void(int64_t loaded_bytes, int64_t total_bytes)> on_load_progress;
    std::function<void(const StepStats&)> on_step;  // on the engine's thread after each step; must not block
    // On the engine's thread when the device has failed, after every request has ended with FinishReason::error.
    std::function<void(const std::string& reason)> on_failure;
};

using EventSink = std::function<void(Event)>;

class Engine {
public:
    // Loads the checkpoint. Errors: a bad config or checkpoint, or limits that do not fit, in one clear line.
    static Result<std::unique_ptr<Engine>> open(const EngineOptions& options, std::unique_ptr<ops::Backend> backend);

    // Cancels what is running and joins the engine's thread.
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Queues a request; `sink` receives its events until the last. Errors: invalid_argument for token ids out of the
    // vocabulary, an empty prompt, or a prompt that leaves no room in max_model_len; resource_exhausted when the queue is full;
    // io_error when the device has failed.
    Result<RequestId> submit(Request request, EventSink sink);

    // Ends every choice of a request with FinishReason::cancelled; nothing happens when it has ended.
    void cancel(RequestId id);
    // The same for one of its choices.
    void cancel(RequestId id, int choice);

    EngineStats stats() const;
    const ModelInfo& info() const;

private:
    struct Implementation;
    explicit Engine(std::unique_ptr<Implementation> implementation);
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace glm5
