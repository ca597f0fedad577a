// Opening a model.
#include "open_model.h"

#include <filesystem>
#include <fstream>

#include "backend/registry.h"
#include "base/dtype.h"
#include "base/log.h"
#include "load/checkpoint.h"
#include "memory_log.h"
#include "progress.h"

namespace glm5 {
namespace {

constexpr uintmax_t kMaxTemplateBytes = 4 << 20;

Result<chat::ChatFormat> format_from_file(const std::string& path) {
    std::error_code error;
    const uintmax_t size = std::filesystem::file_size(path, error);
    if (error) return not_found("--chat-template {}: {}", path, error.message());
    if (size > kMaxTemplateBytes) return invalid_argument("--chat-template {}: {} bytes are too many", path, size);
    std::ifstream file(path, std::ios::binary);
    std::string source(size, '\0');
    if (!file.read(source.data(), static_cast<std::streamsize>(size)))
        return io_error("--chat-template {}: cannot be read", path);
    auto format = chat::ChatFormat::from_source(source);
    return format.ok() ? std::move(format) : format.status().with_context(path);
}

Result<std::optional<chat::ChatFormat>> open_chat_format(const cli::ModelOptions& options,
                                                         const std::filesystem::path& directory) {
    auto format =
        options.chat_template.empty() ? chat::ChatFormat::load(directory) : format_from_file(options.chat_template);
    if (format.ok()) return std::optional(std::move(*format));
    if (options.chat_template.empty() && format.status().code() == StatusCode::not_found) {
        log_warning("{}", format.status().message());
        return std::optional<chat::ChatFormat>();
    }
    return format.status();
}

Status check_quantization(const cli::ModelOptions& options, const std::filesystem::path& directory) {
    if (options.quantization.empty()) return {};
    GLM5_ASSIGN_OR_RETURN(const auto checkpoint, load::Checkpoint::open(directory));
    const config::Quantization found = checkpoint->config().quantization;
    const std::string_view name = found == config::Quantization::fp8     ? "fp8"
                                  : found == config::Quantization::nvfp4 ? "nvfp4"
                                                                         : "none";
    if (name != options.quantization)
        return invalid_argument("--quantization {}: the checkpoint's quantisation is {}", options.quantization, name);
    return {};
}

// The CPU's defaults are float32 throughout; a shorter cache brings its index keys along.
ops::Numerics cpu_numerics(const cli::RunOptions& options) {
    ops::Numerics numerics;
    if (options.dtype == "bfloat16") numerics.activation = ops::ActivationFormat::bf16;
    if (options.kv_cache_dtype == "bfloat16") numerics.latent = LatentFormat::bf16;
    if (options.kv_cache_dtype == "fp8_ds_mla") {
        numerics.latent = LatentFormat::fp8_ds_mla;
        numerics.index_key = IndexKeyFormat::e4m3;
    }
    return numerics;
}

// What a GPU computes in.
Result<ops::Numerics> cuda_numerics(const cli::RunOptions& options) {
    if (options.dtype == "float32")
        return unsupported("--dtype float32: a GPU computes in bfloat16; float32 needs --device cpu");
    if (options.kv_cache_dtype == "float32")
        return unsupported("--kv-cache-dtype float32: a GPU's cache is bfloat16 or fp8_ds_mla; float32 needs --device cpu");
    return ops::Numerics{
        .activation = ops::ActivationFormat::bf16,
        .linear_input = ops::LinearInput::fp8_1x128,
        .latent = options.kv_cache_dtype == "fp8_ds_mla" ? LatentFormat::fp8_ds_mla : LatentFormat::bf16,
        .index_key = IndexKeyFormat::e4m3};
}

Result<std::unique_ptr<ops::Backend>> open_backend(const cli::RunOptions& options) {
    const std::string device = options.device == "auto" ? backend::default_device() : options.device;
    ops::Numerics numerics = cpu_numerics(options);
    if (device == "cuda") {
        GLM5_ASSIGN_OR_RETURN(numerics, cuda_numerics(options));
    }
    GLM5_ASSIGN_OR_RETURN(auto backend, backend::make_backend({device, 0, options.threads}, numerics));
    log_info("Device: {}; activations {}, inputs of FP8 layers {}, latents {}, index keys {}", backend->description(),
             numerics.activation == ops::ActivationFormat::bf16 ? "bfloat16" : "float32",
             numerics.linear_input == ops::LinearInput::fp8_1x128 ? "FP8" : "not rounded",
             latent_format_name(numerics.latent), numerics.index_key == IndexKeyFormat::e4m3 ? "FP8" : "float32");
    return backend;
}

}  // namespace

Result<load::ResolvedModel> find_model(const cli::ModelOptions& options) {
    load::ResolveOptions resolve;
    resolve.download_dir = options.download_dir;
    GLM5_ASSIGN_OR_RETURN(load::ResolvedModel model, load::resolve_model(options.model, resolve));
    if (!model.warning.empty()) log_warning("{}", model.warning);
    return model;
}

Result<ModelFiles> open_model_files(const cli::ModelOptions& options) {
    GLM5_ASSIGN_OR_RETURN(load::ResolvedModel resolved, find_model(options));
    GLM5_RETURN_IF_ERROR(check_quantization(options, resolved.directory));
    GLM5_ASSIGN_OR_RETURN(text::Tokenizer tokenizer,
                          text::Tokenizer::load((resolved.directory / "tokenizer.json").string()));
    GLM5_ASSIGN_OR_RETURN(auto chat_format, open_chat_format(options, resolved.directory));
    return ModelFiles{std::move(resolved), std::move(tokenizer), std::move(chat_format)};
}

Result<std::unique_ptr<Engine>> open_engine(const ModelFiles& files, const cli::RunOptions& options,
                                            EngineObservers observers) {
    GLM5_ASSIGN_OR_RETURN(auto backend, open_backend(options));
    log_info("Resolved architecture: GlmMoeDsaForCausalLM");

    LoadProgress progress;
    plan::Plan planned;
    EngineOptions engine_options;
    engine_options.model_directory = files.resolved.directory.string();
    engine_options.num_vocab_tokens = files.tokenizer.num_tokens();
    engine_options.max_model_len = options.max_model_len;
    engine_options.max_num_batched_tokens = options.max_num_batched_tokens;
    engine_options.max_num_seqs = options.max_num_seqs;
    engine_options.max_queued_requests = options.max_queue_size;
    engine_options.enable_prefix_caching = options.enable_prefix_caching;
    engine_options.kv_cache_bytes = options.kv_cache_memory_bytes;
    engine_options.gpu_memory_utilization = options.gpu_memory_utilization;
    engine_options.enforce_eager = options.enforce_eager;
    engine_options.dump_activations_directory = options.dump_activations;
    engine_options.on_plan = [&](const plan::Plan& plan) {
        planned = plan;
        log_plan(plan);
        if (observers.on_plan) observers.on_plan(plan);
    };
    engine_options.on_load_progress = [&](int64_t loaded_bytes, int64_t total_bytes) {
        progress.update(loaded_bytes, total_bytes);
        if (observers.on_progress) observers.on_progress(loaded_bytes, total_bytes);
    };
    engine_options.on_step = std::move(observers.on_step);
    engine_options.on_failure = std::move(observers.on_failure);
    GLM5_ASSIGN_OR_RETURN(auto engine, Engine::open(engine_options, std::move(backend)));
    const double seconds = progress.finish();
    log_loaded(planned, engine->stats(), seconds);
    return engine;
}

}  // namespace glm5
