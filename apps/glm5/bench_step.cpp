// glm5 bench step: how long one rank's steps take at a model's real sizes, with random weights and caches, beside what
// the bytes alone would take and what vLLM takes.
#include "bench_step.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <optional>

#include "backend/registry.h"
#include "base/log.h"
#include "plan/step_time.h"
#include "plan_source.h"
#include "progress.h"
#include "step_rig.h"
#include "subcommands.h"

namespace glm5 {
namespace {

// vLLM 0.26.0 on one of eight ranks of GLM-5-FP8 without communication, on an H200: docs/performance.md.
struct PeerDecode {
    int batch, context;
    double ms;
};
constexpr PeerDecode kPeerDecode[] = {
    {1, 4096, 12.13}, {8, 4096, 16.65}, {32, 4096, 30.97}, {128, 3100, 42.29}, {1, 32768, 12.55}};
struct PeerPrefill {
    int tokens;
    double ms;
};
constexpr PeerPrefill kPeerPrefill[] = {{2048, 350}, {8192, 636}};

std::string peer_text(std::optional<double> peer_ms, double ms) {
    return peer_ms ? fmt::format("{:>9.2f} {:>7.2f}", *peer_ms, *peer_ms / ms) : fmt::format("{:>9} {:>7}", "–", "–");
}

// vLLM's figures are of the published model on eight ranks.
bool has_peer(const config::Config& config, const BenchStepOptions& options) {
    return config.hidden_size == 6144 && config.num_layers == 78 && config.num_heads == 64 &&
           options.tensor_parallel_size == 8;
}

Result<plan::Plan> plan_of(const config::Config& config, const BenchStepOptions& options, const ops::Numerics& numerics,
                           const plan::Device& device) {
    plan::PlanOptions plan;
    plan.device = device;
    plan.latent = numerics.latent;
    plan.index_key = numerics.index_key;
    plan.form = plan::BackendForm::gpu();
    return plan::make_plan(config, {.tensor = options.tensor_parallel_size, .data = 1, .expert = 1}, plan);
}

void print_ops(StepRig& rig, const StepShape& shape, double step_us, int repeats) {
    double sum = 0;
    for (const std::string_view op : OpFilter::kNames) {
        const double us = rig.step_us(shape, repeats, op);
        sum += us;
        fmt::print("    {:<14} {:>10.1f} µs {:>6.1f} %\n", op, us, 100 * us / step_us);
    }
    fmt::print("    {:<14} {:>10.1f} µs {:>6.1f} %\n", "sum", sum, 100 * sum / step_us);
    std::fflush(stdout);
}

class Bench {
public:
    Bench(const BenchStepOptions& options, const config::Config& config, StepRig& rig, const plan::Plan& plan)
        : options_(options), config_(config), rig_(rig), plan_(plan), peer_(has_peer(config, options)) {}

    void decode() {
        fmt::print("\n{:>6} {:>8} {:>10} {:>10} {:>7} {:>9} {:>7}\n", "batch", "context", "step ms", "floor ms",
                   "ratio", "vLLM ms", "faster");
        for (const int context : options_.contexts)
            for (const int batch : options_.batch_sizes) {
                const StepShape shape{.num_seqs = batch, .query_len = 1, .context_len = context};
                const double us = rig_.step_us(shape, options_.repeats);
                const double floor_us = floor_seconds(batch, context) * 1e6;
                std::optional<double> peer_ms;
                for (const PeerDecode& peer : kPeerDecode)
                    if (peer_ && peer.batch == batch && peer.context == context) peer_ms = peer.ms;
                fmt::print("{:>6} {:>8} {:>10.3f} {:>10.3f} {:>7.2f} {}{}\n", batch, context, us / 1e3, floor_us / 1e3,
                           floor_us > 0 ? us / floor_us : 0, peer_text(peer_ms, us / 1e3),
                           rig_.shares_pages(shape) ? "  pages drawn at random from those that exist" : "");
                std::fflush(stdout);
                if (options_.ops) print_ops(rig_, shape, us, options_.repeats);
            }
    }

    void prefill() {
        if (options_.prefill_tokens.empty()) return;
        fmt::print("\n{:>6} {:>8} {:>10} {:>10} {:>9} {:>7}\n", "tokens", "before", "step ms", "tokens/s", "vLLM ms",
                   "faster");
        for (const int before : options_.prefill_contexts)
            for (const int tokens : options_.prefill_tokens) {
                const StepShape shape{.num_seqs = 1, .query_len = tokens, .context_len = before + tokens};
                const double us = rig_.step_us(shape, std::max(1, options_.repeats / 4));
                std::optional<double> peer_ms;
                for (const PeerPrefill& peer : kPeerPrefill)
                    if (peer_ && peer.tokens == tokens && before == 0) peer_ms = peer.ms;
                fmt::print("{:>6} {:>8} {:>10.2f} {:>10.0f} {}\n", tokens, before, us / 1e3, tokens / us * 1e6,
                           peer_text(peer_ms, us / 1e3));
                std::fflush(stdout);
                if (options_.ops) print_ops(rig_, shape, us, 1);
            }
    }

private:
    double floor_seconds(int batch, int context) const {
        if (plan_.options.device.bytes_per_second <= 0) return 0;
        return plan::step_seconds(plan_.options.device, plan::step_bytes(config_, plan_, batch, context));
    }

    const BenchStepOptions& options_;
    const config::Config& config_;
    StepRig& rig_;
    const plan::Plan& plan_;
    const bool peer_;
};

// The data sheet's GPU whose name `description` contains, in upper or lower case.
plan::Device device_of(const std::string& description) {
    std::string lower = description;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    for (const plan::Device& gpu : plan::known_gpus())
        if (lower.find(gpu.name) != std::string::npos) return gpu;
    return {.name = description, .kind = plan::DeviceKind::cpu};
}

Status measure(const BenchStepOptions& options) {
    GLM5_ASSIGN_OR_RETURN(const PlanSource source, read_plan_source(options.model));
    config::Config config = source.config;
    if (options.num_layers > config.num_layers)
        return invalid_argument("--num-layers {}: the model has {}", options.num_layers, config.num_layers);
    if (options.num_layers > 0) {
        config.num_layers = options.num_layers;
        config.layers.resize(options.num_layers);
    }
    const std::string device = options.device == "auto" ? backend::default_device() : options.device;
    const bool cpu = device == "cpu";
    const ops::Numerics numerics = {
        .activation = cpu ? ops::ActivationFormat::f32 : ops::ActivationFormat::bf16,
        .linear_input = cpu ? ops::LinearInput::unquantised : ops::LinearInput::fp8_1x128,
        .latent = options.kv_cache_dtype == "fp8_ds_mla" ? LatentFormat::fp8_ds_mla : LatentFormat::bf16,
        .index_key = IndexKeyFormat::e4m3};
    GLM5_ASSIGN_OR_RETURN(auto backend, backend::make_backend({device, 0, options.threads}, numerics));
    const std::string description = backend->description();

    StepRig::Options rig_options{.numerics = numerics, .most_cache_bytes = options.cache_bytes};
    GLM5_ASSIGN_OR_RETURN(rig_options.config, rank_config(config, options.tensor_parallel_size));
    for (const int batch : options.batch_sizes) {
        rig_options.max_tokens = std::max(rig_options.max_tokens, batch);
        rig_options.max_seqs = std::max(rig_options.max_seqs, batch);
    }
    for (const int context : options.contexts) rig_options.max_context = std::max(rig_options.max_context, context);
    for (const int tokens : options.prefill_tokens) {
        rig_options.max_tokens = std::max(rig_options.max_tokens, tokens);
        for (const int before : options.prefill_contexts)
            rig_options.max_context = std::max(rig_options.max_context, before + tokens);
    }
    LoadProgress progress;
    const auto start = std::chrono::steady_clock::now();
    GLM5_ASSIGN_OR_RETURN(const auto rig,
                          StepRig::open(std::move(backend), rig_options,
                                        [&](int64_t loaded, int64_t total) { progress.update(loaded, total); }));
    progress.finish();
    const double load_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

    GLM5_ASSIGN_OR_RETURN(const plan::Plan plan, plan_of(config, options, numerics, device_of(description)));
    fmt::print(
        "{}\n{}: one of {} ranks, {} layers, random weights, loaded in {:.1f} s; latents {}; {} pages of cache\n",
        description, source.name, options.tensor_parallel_size, config.num_layers, load_s,
        latent_format_name(numerics.latent), rig->num_pages());
    Bench bench(options, config, *rig, plan);
    bench.decode();
    bench.prefill();
    return {};
}

}  // namespace

Result<BenchStepOptions> bench_step_options(const cli::CommandLine& line) {
    const cli::Values& values = line.values;
    if (line.arguments.size() != 1) return invalid_argument("usage: glm5 bench step MODEL|config.json [OPTIONS]");
    BenchStepOptions options;
    options.log = cli::log_options(values, "warning");
    options.model.model = line.arguments[0];
    options.device = values.text("--device");
    options.kv_cache_dtype = values.text("--kv-cache-dtype").starts_with("fp8") ? "fp8_ds_mla" : "bfloat16";
    options.threads = static_cast<int>(values.number("--threads"));
    options.tensor_parallel_size = static_cast<int>(values.number("--tensor-parallel-size"));
    options.num_layers = static_cast<int>(values.number("--num-layers"));
    options.cache_bytes = values.number("--kv-cache-memory-bytes");
    options.repeats = static_cast<int>(values.number("--repeats"));
    options.ops = values.flag("--ops");
    const auto numbers = [&](std::string_view name, int minimum, std::vector<int>& out) -> Status {
        if (!values.has(name)) return {};
        for (const std::string& text : values.texts(name)) {
            int number = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
            if (error != std::errc() || end != text.data() + text.size() || number < minimum || number > (1 << 21))
                return invalid_argument("{} {}: expected a number from {} to {}", name, text, minimum, 1 << 21);
            out.push_back(number);
        }
        return {};
    };
    options.batch_sizes = {1, 8, 32, 128};
    options.contexts = {4096};
    options.prefill_contexts = {0};
    for (auto* list : {&options.batch_sizes, &options.contexts, &options.prefill_contexts}) {
        const std::string_view name = list == &options.batch_sizes ? "--batch-sizes"
                                      : list == &options.contexts  ? "--contexts"
                                                                   : "--prefill-contexts";
        if (values.has(name)) list->clear();
        GLM5_RETURN_IF_ERROR(numbers(name, list == &options.prefill_contexts ? 0 : 1, *list));
    }
    GLM5_RETURN_IF_ERROR(numbers("--prefill-tokens", 1, options.prefill_tokens));
    return options;
}

int run_bench_step(const BenchStepOptions& options) {
    const Status status = measure(options);
    return status.ok() ? 0 : report_error(status);
}

}  // namespace glm5
