// Engine: checks what comes in, and hands it to the loop.
#include "glm5/engine.h"

#include <algorithm>

#include "cache/layout.h"
#include "engine/check_sampling.h"
#include "engine/engine_loop.h"
#include "engine/rank_plan.h"
#include "engine/rank_worker.h"
#include "load/checkpoint.h"

namespace glm5 {
struct Engine::Implementation {
    ModelInfo info;
    int max_queued_requests = 0;
    std::unique_ptr<engine::EngineLoop> loop;
    std::atomic<RequestId> next_id{1};
};

Engine::Engine(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::open(const EngineOptions& options, std::unique_ptr<ops::Backend> backend) {
    GLM5_ASSIGN_OR_RETURN(auto checkpoint, load::Checkpoint::open(options.model_directory));
    GLM5_RETURN_IF_ERROR(checkpoint->verify());
    const config::Config& config = checkpoint->config();
    if (options.num_vocab_tokens < 1 || options.num_vocab_tokens > config.vocab_size)
        return invalid_argument("tokenizer.json has {} tokens; the model's vocab_size is {}", options.num_vocab_tokens,
                                config.vocab_size);

    const ops::Numerics numerics = backend->numerics();
    const auto layout = cache::Layout::compute(config, numerics.latent, numerics.index_key);
    GLM5_ASSIGN_OR_RETURN(const plan::Plan plan, engine::plan_rank(options, *checkpoint, *backend));
    const engine::RankLimits limits = {
        .max_num_seqs = static_cast<int>(plan.sizes.max_num_seqs),
        .max_num_batched_tokens = static_cast<int>(plan.sizes.max_num_tokens),
        .max_model_len = static_cast<int>(plan.sizes.max_model_len),
        .num_pages = static_cast<int>(plan.num_pages),
        .num_vocab_tokens = options.num_vocab_tokens,
        .reserved_bytes = plan.options.device.memory_bytes - plan.budget_bytes + plan.graphs_bytes,
        .repeat_decodes = plan.options.device.kind == plan::DeviceKind::gpu && !options.enforce_eager,
    };
    const auto progress = options.on_load_progress ? options.on_load_progress : [](int64_t, int64_t) {};
    GLM5_ASSIGN_OR_RETURN(auto worker,
                          engine::RankWorker::open(std::move(backend), *checkpoint, layout, limits, progress));
    if (worker->num_pages() < schedule::Scheduler::pages_needed(limits.max_model_len))
        return resource_exhausted("the cache holds {} tokens beside what else is on the device; max-model-len is {}",
                                  worker->num_pages() * kPageTokens, limits.max_model_len);
    if (!options.dump_activations_directory.empty())
        GLM5_RETURN_IF_ERROR(worker->dump_activations(options.dump_activations_directory));

    auto implementation = std::make_unique<Implementation>();
    implementation->info = {.directory = options.model_directory,
                            .max_model_len = limits.max_model_len,
                            .num_vocab_tokens = options.num_vocab_tokens,
                            .eos_token_ids = config.eos_token_ids,
                            .sampling_defaults = {static_cast<float>(config.generation.temperature),
                                                  static_cast<float>(config.generation.top_p)},
                            .kv_cache_dtype = std::string(latent_format_name(numerics.latent)),
                            .prefix_caching = options.enable_prefix_caching};
    implementation->max_queued_requests = options.max_queued_requests;
    implementation->loop = std::make_unique<engine::EngineLoop>(
        std::move(worker), implementation->info,
        schedule::SchedulerLimits{.max_num_seqs = limits.max_num_seqs,
                                  .max_num_batched_tokens = limits.max_num_batched_tokens,
                                  .prefix_caching = options.enable_prefix_caching},
        engine::EngineLoop::Observers{options.on_step, options.on_failure});
    return std::unique_ptr<Engine>(new Engine(std::move(implementation)));
}

Result<RequestId> Engine::submit(Request request, EventSink sink) {
    const ModelInfo& info = implementation_->info;
    const int64_t prompt_len = static_cast<int64_t>(request.prompt.size());
    if (prompt_len == 0) return invalid_argument("the prompt has no tokens");
    if (prompt_len >= info.max_model_len)
        return invalid_argument("the prompt has {} tokens; the context holds {}, completion included", prompt_len,
                                info.max_model_len);
    for (int32_t token : request.prompt)
        if (token < 0 || token >= info.num_vocab_tokens)
            return invalid_argument("token id {} is out of vocabulary (0 to {})", token, info.num_vocab_tokens - 1);
    GLM5_RETURN_IF_ERROR(engine::check_sampling(request.sampling, info));
    if (request.num_choices < 1 || request.num_choices > schedule::kMaxChoices)
        return invalid_argument("n must be from 1 to {}, found {}", schedule::kMaxChoices, request.num_choices);
    const EngineStats now = stats();
    if (now.failed) return io_error("the engine has failed");
    if (now.running + now.waiting >= implementation_->max_queued_requests)
        return resource_exhausted("{} requests are queued already", now.running + now.waiting);

    const RequestId id = implementation_->next_id++;
    const int64_t max_len = std::min<int64_t>(prompt_len + request.sampling.max_tokens, info.max_model_len);
    implementation_->loop->submit(id, std::move(request), static_cast<int>(max_len), std::move(sink));
    return id;
}

void Engine::cancel(RequestId id) { implementation_->loop->cancel(id); }
void Engine::cancel(RequestId id, int choice) { implementation_->loop->cancel(id, choice); }
EngineStats Engine::stats() const { return implementation_->loop->stats(); }
const ModelInfo& Engine::info() const { return implementation_->info; }

}  // namespace glm5
