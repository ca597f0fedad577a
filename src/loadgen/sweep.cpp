#include "loadgen/sweep.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>

#include "json/write.h"
#include "loadgen/report_csv.h"
#include "loadgen/report_html.h"
#include "loadgen/sweep_monitor.h"

namespace glm5::loadgen {
namespace {

constexpr int kMinPrompts = 32;
constexpr std::chrono::milliseconds kScrapeInterval{250};
constexpr size_t kMaxTimelinePoints = 400;

std::string date_now() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    char text[32];
    return std::string(text, std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &local));
}

std::string_view dataset_name(DatasetKind kind) {
    switch (kind) {
        case DatasetKind::random: return "random";
        case DatasetKind::sharegpt: return "sharegpt";
        case DatasetKind::custom: return "custom";
        case DatasetKind::prefix_repetition: return "prefix_repetition";
    }
    return "";
}

// Percentiles 0 … 100 with linear interpolation, or nothing of nothing.
std::vector<double> percentiles_of(std::vector<double> values) {
    if (values.empty()) return {};
    std::sort(values.begin(), values.end());
    std::vector<double> percentiles;
    for (int p = 0; p <= 100; ++p) {
        const double place = p / 100.0 * static_cast<double>(values.size() - 1);
        const auto below = static_cast<size_t>(place);
        const double above = values[std::min(below + 1, values.size() - 1)];
        percentiles.push_back(values[below] + (place - static_cast<double>(below)) * (above - values[below]));
    }
    return percentiles;
}

SweepLevel to_level(const BenchmarkResult& result) {
    SweepLevel level;
    level.concurrency = result.options.max_concurrency.value_or(1);
    level.benchmark = to_json(result, false).as_object();
    level.failure_causes = result.failure_causes;
    std::vector<double> itls_ms;
    for (const RequestRecord& record : result.records) {
        if (record.outcome != RequestRecord::Outcome::succeeded) continue;
        for (const double itl_s : record.itls_s) itls_ms.push_back(1e3 * itl_s);
    }
    level.itl_percentiles_ms = percentiles_of(std::move(itls_ms));
    return level;
}

Status check_options(const SweepOptions& options) {
    if (options.concurrencies.empty()) return invalid_argument("concurrency: expected at least one level");
    for (const int concurrency : options.concurrencies)
        if (concurrency < 1) return invalid_argument("concurrency: expected positive numbers, found {}", concurrency);
    if (options.num_prompts && *options.num_prompts < 1)
        return invalid_argument("num_prompts: expected a positive number, found {}", *options.num_prompts);
    if (options.prompts_per_stream < 1)
        return invalid_argument("prompts_per_stream: expected a positive number, found {}", options.prompts_per_stream);
    if (!options.result_path.ends_with(".json"))
        return invalid_argument("result file '{}': expected a name that ends in .json", options.result_path);
    return {};
}

// The first setting in which they differ.
Status check_same_settings(const json::Object& found, const json::Object& wanted, const std::string& path) {
    const auto text = [](const json::Value* value) { return value ? json::write(*value) : "none"; };
    for (const json::Object* object : {&wanted, &found}) {
        for (const auto& [key, value] : *object) {
            const json::Value *in_file = found.find(key), *asked = wanted.find(key);
            if (in_file && asked && *in_file == *asked) continue;
            return invalid_argument(
                "{} holds a sweep with other settings: {} {} there, {} here; give another result file", path, key,
                text(in_file), text(asked));
        }
    }
    return {};
}

Result<Sweep> begin_or_continue(const SweepOptions& options, const std::string& server) {
    const json::Object settings = sweep_settings(options);
    GLM5_ASSIGN_OR_RETURN(std::optional<Sweep> found, read_sweep(options.result_path));
    if (found) {
        GLM5_RETURN_IF_ERROR(check_same_settings(found->settings, settings, options.result_path));
        found->note.clear();
        return std::move(*found);
    }
    Sweep sweep;
    sweep.settings = settings;
    sweep.date = date_now();
    sweep.server = server;
    return sweep;
}

// Why no level should follow this one; empty when the next may.
std::string reason_to_end(const SweepOptions& options, const SweepLevel& level) {
    if (level.num_completed() == 0)
        return fmt::format("ended at concurrency {}: no request succeeded", level.concurrency);
    const double ttft_ms = level.figure("mean_ttft_ms");
    if (options.max_ttft_ms && ttft_ms > *options.max_ttft_ms)
        return fmt::format("ended at concurrency {}: a mean TTFT of {:.0f} ms is above the limit of {:.0f} ms",
                           level.concurrency, ttft_ms, *options.max_ttft_ms);
    return "";
}

}  // namespace

json::Object sweep_settings(const SweepOptions& options) {
    const BenchmarkOptions& benchmark = options.benchmark;
    const DatasetOptions& dataset = benchmark.dataset;
    json::Object settings;
    settings.append("model", benchmark.model_id.empty() ? benchmark.model : benchmark.model_id);
    settings.append("base_url", benchmark.base_url);
    settings.append("backend", benchmark.backend);
    if (!benchmark.endpoint.empty()) settings.append("endpoint", benchmark.endpoint);
    settings.append("dataset", dataset_name(dataset.kind));
    if (!dataset.path.empty()) settings.append("dataset_path", dataset.path);
    settings.append("input_len", dataset.input_len);
    settings.append("output_len", dataset.output_len);
    settings.append("prefix_len", dataset.prefix_len);
    settings.append("input_range_ratio", dataset.input_range_ratio);
    settings.append("output_range_ratio", dataset.output_range_ratio);
    if (dataset.kind == DatasetKind::prefix_repetition) {
        settings.append("repeated_prefix_len", dataset.repeated_prefix_len);
        settings.append("suffix_len", dataset.suffix_len);
        settings.append("num_prefixes", dataset.num_prefixes);
    }
    settings.append("num_prompts", options.num_prompts ? json::Value(*options.num_prompts) : json::Value("auto"));
    if (!options.num_prompts) settings.append("prompts_per_stream", options.prompts_per_stream);
    settings.append("seed", benchmark.seed);
    settings.append("ignore_eos", benchmark.ignore_eos);
    if (benchmark.logprobs) settings.append("logprobs", *benchmark.logprobs);
    settings.append("sampling", benchmark.sampling);
    settings.append("extra_body", benchmark.extra_body);
    return settings;
}

BenchmarkOptions level_options(const SweepOptions& options, int concurrency) {
    BenchmarkOptions level = options.benchmark;
    level.num_prompts = options.num_prompts.value_or(std::max(options.prompts_per_stream * concurrency, kMinPrompts));
    level.num_warmups = concurrency;
    level.max_concurrency = concurrency;
    level.seed += static_cast<uint32_t>(concurrency);
    level.percentiles = {99};
    return level;
}

RunLevel run_on_server(const text::Tokenizer* tokenizer, const Hooks& hooks) {
    return [tokenizer, hooks](const BenchmarkOptions& options) -> Result<std::optional<SweepLevel>> {
        SweepMonitor monitor([&options] { return fetch(options, "/metrics"); }, kScrapeInterval, kMaxTimelinePoints);
        GLM5_ASSIGN_OR_RETURN(const BenchmarkResult result, run_benchmark(options, tokenizer, hooks));
        monitor.stop();
        if (result.interrupted) return std::optional<SweepLevel>();
        SweepLevel level = to_level(result);
        level.timeline = monitor.timeline();
        level.num_preemptions = monitor.num_preemptions();
        return std::optional<SweepLevel>(std::move(level));
    };
}

Result<SweepOutcome> run_sweep(const SweepOptions& options, const std::string& server, const RunLevel& run_level,
                               const SweepHooks& hooks) {
    GLM5_RETURN_IF_ERROR(check_options(options));
    SweepOutcome outcome;
    Sweep& sweep = outcome.sweep;
    GLM5_ASSIGN_OR_RETURN(sweep, begin_or_continue(options, server));
    GLM5_ASSIGN_OR_RETURN(outcome.reference, find_reference(options.reference, sweep));
    if (hooks.on_begin) hooks.on_begin(sweep, outcome.reference);
    std::vector<int> concurrencies = options.concurrencies;
    std::sort(concurrencies.begin(), concurrencies.end());
    concurrencies.erase(std::unique(concurrencies.begin(), concurrencies.end()), concurrencies.end());
    for (const int concurrency : concurrencies) {
        const SweepLevel* known = sweep.find(concurrency);
        const bool reused = known && known->is_complete();
        if (!reused) {
            if (hooks.on_level_begin) hooks.on_level_begin(concurrency);
            auto level = run_level(level_options(options, concurrency));
            if (!level.ok()) return level.status().with_context(fmt::format("concurrency {}", concurrency));
            outcome.interrupted = !level->has_value();
            if (outcome.interrupted) break;
            sweep.put(std::move(**level));
        }
        const SweepLevel& level = *sweep.find(concurrency);
        sweep.note = reason_to_end(options, level);
        GLM5_RETURN_IF_ERROR(write_reports(sweep, outcome.reference, options.result_path));
        if (hooks.on_level_end) hooks.on_level_end(level, reused);
        if (!sweep.note.empty()) break;
    }
    return outcome;
}

Status write_reports(const Sweep& sweep, const ReferenceTable* reference, const std::string& result_path) {
    GLM5_RETURN_IF_ERROR(write_file(result_path, json::write(to_json(sweep), {.indent = 1}) + "\n"));
    GLM5_RETURN_IF_ERROR(write_file(beside(result_path, ".csv"), to_csv(sweep)));
    return write_file(beside(result_path, ".html"), to_html(sweep, reference));
}

std::string beside(const std::string& result_path, std::string_view extension) {
    return std::filesystem::path(result_path).replace_extension(extension).string();
}

std::string sweep_file_name(const SweepOptions& options) {
    const BenchmarkOptions& benchmark = options.benchmark;
    std::string model =
        std::filesystem::path(benchmark.model_id.empty() ? benchmark.model : benchmark.model_id).filename().string();
    for (char& c : model)
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '.') c = '_';
    return fmt::format("sweep-{}-{}-{}.json", model, benchmark.dataset.input_len, benchmark.dataset.output_len);
}

}  // namespace glm5::loadgen
