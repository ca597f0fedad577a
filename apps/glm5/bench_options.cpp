// CommandLine → options of a benchmark.
#include "bench_options.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "base/log.h"
#include "load/resolve.h"

namespace glm5 {
namespace {

using cli::Values;
using loadgen::Metric;

std::optional<double> parse_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || std::isnan(value)) return std::nullopt;
    return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

// Above 0; "inf" is infinity.
Result<double> positive(const Values& values, std::string_view name) {
    const auto number = parse_number(values.text(name));
    if (!number || !(*number > 0)) return invalid_argument("{} {}: must be above 0, or inf", name, values.text(name));
    return *number;
}

Result<Metric> parse_metric(std::string_view option, std::string_view text) {
    for (const Metric metric : {Metric::ttft, Metric::tpot, Metric::itl, Metric::e2el})
        if (text == loadgen::metric_name(metric)) return metric;
    return invalid_argument("{}: '{}' must be ttft, tpot, itl or e2el", option, text);
}

// KEY=VALUE
Result<std::vector<std::pair<std::string, std::string>>> pairs(const Values& values, std::string_view name) {
    std::vector<std::pair<std::string, std::string>> out;
    if (!values.has(name)) return out;
    for (const std::string& text : values.texts(name)) {
        const size_t equals = text.find('=');
        if (equals == std::string::npos || equals == 0) return invalid_argument("{}: must be NAME=VALUE", name);
        out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return out;
}

// R, or {"input": R, "output": R}.
Status read_range_ratio(const Values& values, loadgen::DatasetOptions& dataset) {
    const std::string& text = values.text("--random-range-ratio");
    if (text.starts_with('{')) {
        Values parsed;
        const cli::Option option{.name = "--random-range-ratio", .type = cli::OptionType::object};
        GLM5_RETURN_IF_ERROR(parsed.set(option, {text}));
        for (const auto& [key, value] : parsed.object(option.name)) {
            if (key != "input" && key != "output")
                return invalid_argument("--random-range-ratio: '{}' must be input or output", key);
            (key == "input" ? dataset.input_range_ratio : dataset.output_range_ratio) = value.to_double().value_or(-1);
        }
    } else {
        dataset.input_range_ratio = dataset.output_range_ratio = parse_number(text).value_or(-1);
    }
    for (const double ratio : {dataset.input_range_ratio, dataset.output_range_ratio})
        if (!(ratio >= 0 && ratio < 1))
            return invalid_argument("--random-range-ratio {}: must be at least 0, below 1", text);
    return {};
}

Status read_dataset(const Values& values, loadgen::DatasetOptions& dataset) {
    using enum loadgen::DatasetKind;
    const std::string& name = values.text("--dataset-name");
    dataset.kind = name == "sharegpt"            ? sharegpt
                   : name == "custom"            ? custom
                   : name == "prefix_repetition" ? prefix_repetition
                                                 : random;
    dataset.path = values.text_or_empty("--dataset-path");
    const bool is_file = dataset.kind == sharegpt || dataset.kind == custom;
    if (is_file && dataset.path.empty()) return invalid_argument("--dataset-name {}: --dataset-path is needed", name);
    if (!is_file && !dataset.path.empty())
        return invalid_argument("--dataset-path does not go with --dataset-name {}", name);
    dataset.disable_shuffle = values.flag("--disable-shuffle");
    // The short names go before the others.
    const auto number = [&](std::string_view short_name, std::string_view long_name) {
        return values.number(values.has(short_name) ? short_name : long_name);
    };
    dataset.input_len = number("--input-len", "--random-input-len");
    dataset.output_len = number("--output-len", "--random-output-len");
    dataset.prefix_len = values.number("--random-prefix-len");
    GLM5_RETURN_IF_ERROR(read_range_ratio(values, dataset));
    dataset.repeated_prefix_len = values.number("--prefix-repetition-prefix-len");
    dataset.suffix_len = values.number("--prefix-repetition-suffix-len");
    dataset.num_prefixes = values.number("--prefix-repetition-num-prefixes");
    dataset.repeated_output_len = number("--output-len", "--prefix-repetition-output-len");
    for (const std::string_view option :
         {dataset.kind == sharegpt ? "--sharegpt-output-len" : "--custom-output-len", "--output-len"})
        if (values.has(option)) dataset.fixed_output_len = values.number(option);
    return {};
}

void read_sampling(const Values& values, loadgen::BenchmarkOptions& options) {
    constexpr std::pair<std::string_view, std::string_view> kReals[] = {{"--temperature", "temperature"},
                                                                        {"--top-p", "top_p"},
                                                                        {"--min-p", "min_p"},
                                                                        {"--presence-penalty", "presence_penalty"},
                                                                        {"--frequency-penalty", "frequency_penalty"},
                                                                        {"--repetition-penalty", "repetition_penalty"}};
    for (const auto& [option, member] : kReals)
        if (values.has(option)) options.sampling.set(std::string(member), values.real(option));
    if (values.has("--top-k")) options.sampling.set("top_k", values.number("--top-k"));
    if (values.has("--logprobs")) options.logprobs = static_cast<int>(values.number("--logprobs"));
    options.ignore_eos = values.flag("--ignore-eos");
    options.extra_body = values.object("--extra-body");
}

Status read_load(const Values& values, loadgen::BenchmarkOptions& options) {
    options.num_prompts = static_cast<int>(values.number("--num-prompts"));
    GLM5_ASSIGN_OR_RETURN(const double rate, positive(values, "--request-rate"));
    if (!std::isinf(rate)) options.request_rate = rate;
    GLM5_ASSIGN_OR_RETURN(options.burstiness, positive(values, "--burstiness"));
    if (values.has("--max-concurrency")) options.max_concurrency = static_cast<int>(values.number("--max-concurrency"));
    options.num_warmups = static_cast<int>(values.number("--num-warmups"));
    options.profile = values.flag("--profile");
    const bool has_start = values.has("--ramp-up-start-rps"), has_end = values.has("--ramp-up-end-rps");
    if (!values.has("--ramp-up-strategy"))
        return has_start || has_end
                   ? invalid_argument("--ramp-up-strategy is needed with --ramp-up-start-rps and -end-rps")
                   : Status();
    if (!has_start || !has_end)
        return invalid_argument("--ramp-up-strategy: --ramp-up-start-rps and --ramp-up-end-rps are needed");
    options.ramp_up =
        values.text("--ramp-up-strategy") == "linear" ? loadgen::RampUp::linear : loadgen::RampUp::exponential;
    options.ramp_up_start_rps = static_cast<int>(values.number("--ramp-up-start-rps"));
    options.ramp_up_end_rps = static_cast<int>(values.number("--ramp-up-end-rps"));
    return {};
}

Status read_figures(const Values& values, loadgen::BenchmarkOptions& options) {
    options.percentile_metrics.clear();
    for (const std::string_view text : split(values.text("--percentile-metrics"), ',')) {
        GLM5_ASSIGN_OR_RETURN(const Metric metric, parse_metric("--percentile-metrics", text));
        options.percentile_metrics.push_back(metric);
    }
    options.percentiles.clear();
    for (const std::string_view text : split(values.text("--metric-percentiles"), ',')) {
        const auto percentile = parse_number(text);
        if (!percentile || *percentile < 0 || *percentile > 100)
            return invalid_argument("--metric-percentiles: '{}' must be 0 to 100", text);
        options.percentiles.push_back(*percentile);
    }
    if (!values.has("--goodput")) return {};
    for (const std::string& text : values.texts("--goodput")) {
        const size_t colon = std::min(text.find(':'), text.size());
        GLM5_ASSIGN_OR_RETURN(const Metric metric, parse_metric("--goodput", text.substr(0, colon)));
        const auto limit = parse_number(std::string_view(text).substr(std::min(colon + 1, text.size())));
        if (metric == Metric::itl || !limit || *limit < 0)
            return invalid_argument("--goodput {}: must be ttft:MS, tpot:MS or e2el:MS", text);
        options.goodput_ms.emplace_back(metric, *limit);
    }
    return {};
}

}  // namespace

Result<loadgen::BenchmarkOptions> benchmark_options(const cli::CommandLine& line) {
    const Values& values = line.values;
    if (!line.arguments.empty()) return invalid_argument("unexpected argument '{}'", line.arguments[0]);
    loadgen::BenchmarkOptions options;
    options.backend = values.text("--backend");
    options.api = options.backend == "openai-chat" ? loadgen::Api::chat : loadgen::Api::completions;
    const std::string& host = values.text("--host");
    const bool is_ipv6 = host.find(':') != std::string::npos;
    options.base_url =
        values.has("--base-url")
            ? values.text("--base-url")
            : fmt::format("http://{}:{}", is_ipv6 ? fmt::format("[{}]", host) : host, values.number("--port"));
    options.endpoint = values.text_or_empty("--endpoint");
    options.model_id = values.text_or_empty("--model");
    options.model = values.has("--served-model-name") ? values.text("--served-model-name") : options.model_id;
    options.api_key = values.text_or_empty("--api-key");
    GLM5_ASSIGN_OR_RETURN(options.headers, pairs(values, "--header"));
    options.ready_check_timeout_s = values.real("--ready-check-timeout-sec");
    options.seed = static_cast<uint32_t>(values.number("--seed"));
    options.request_id_prefix = values.text_or_empty("--request-id-prefix");
    GLM5_RETURN_IF_ERROR(read_dataset(values, options.dataset));
    read_sampling(values, options);
    return options;
}

Result<BenchServeOptions> bench_serve_options(const cli::CommandLine& line) {
    const Values& values = line.values;
    BenchServeOptions options;
    options.log = cli::log_options(values);
    GLM5_ASSIGN_OR_RETURN(options.benchmark, benchmark_options(line));
    GLM5_RETURN_IF_ERROR(read_load(values, options.benchmark));
    GLM5_RETURN_IF_ERROR(read_figures(values, options.benchmark));
    options.benchmark.label = values.text_or_empty("--label");
    GLM5_ASSIGN_OR_RETURN(options.benchmark.metadata, pairs(values, "--metadata"));
    options.tokenizer = values.text_or_empty("--tokenizer");
    options.download_dir = values.text_or_empty("--download-dir");
    options.skip_tokenizer = values.flag("--skip-tokenizer-init");
    options.progress = !values.flag("--disable-tqdm");
    options.save_detailed = values.flag("--save-detailed");
    options.append_result = values.flag("--append-result");
    options.save_result = values.flag("--save-result");
    options.result_dir = values.text_or_empty("--result-dir");
    options.result_filename = values.text_or_empty("--result-filename");
    return options;
}

Result<BenchTokenizer> open_bench_tokenizer(loadgen::BenchmarkOptions& options, const std::string& tokenizer,
                                            const std::string& download_dir, bool skip) {
    if (options.model_id.empty()) {
        GLM5_ASSIGN_OR_RETURN(options.model_id, loadgen::first_model(options));
        log_info("Model: {}, the server's first", options.model_id);
    }
    if (options.model.empty()) options.model = options.model_id;
    if (skip) return BenchTokenizer();
    options.tokenizer_id = tokenizer.empty() ? options.model_id : tokenizer;
    load::ResolveOptions resolve;
    resolve.download_dir = download_dir;
    // The server calls the bundled model by its whole name.
    const std::string name = options.tokenizer_id == "glm5-nano" ? "nano" : options.tokenizer_id;
    const auto model = load::resolve_model(name, resolve);
    if (!model.ok()) return model.status().with_context(fmt::format("--tokenizer {}", options.tokenizer_id));
    GLM5_ASSIGN_OR_RETURN(text::Tokenizer loaded,
                          text::Tokenizer::load((model->directory / "tokenizer.json").string()));
    return BenchTokenizer{std::move(loaded)};
}

}  // namespace glm5
