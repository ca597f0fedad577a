// glm5 bench sweep: levels of rising concurrency against a server, a line for each on standard output, then the
// published layout; the files are beside each other in the result directory.
#include "bench_sweep.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>

#include "base/log.h"
#include "bench_options.h"
#include "bench_progress.h"
#include "json/parse.h"
#include "loadgen/report_text.h"
#include "subcommands.h"

namespace glm5 {
namespace {

constexpr int kInterrupted = 130;
constexpr int kMostStreams = 100'000;

// "1 8 16" as arguments, or "1,8,16" as one.
Result<std::vector<int>> parse_concurrencies(const std::vector<std::string>& texts) {
    std::vector<int> concurrencies;
    for (const std::string& text : texts) {
        for (size_t begin = 0; begin <= text.size();) {
            const size_t end = std::min(text.find(',', begin), text.size());
            int number = 0;
            const auto [last, error] = std::from_chars(text.data() + begin, text.data() + end, number);
            if (error != std::errc() || last != text.data() + end || number < 1 || number > kMostStreams)
                return invalid_argument("--concurrency: '{}' must be a number from 1 to {}",
                                        text.substr(begin, end - begin), kMostStreams);
            concurrencies.push_back(number);
            begin = end + 1;
        }
    }
    return concurrencies;
}

std::string text_member(const json::Value* object, std::string_view key) {
    const json::Value* value = object ? object->find(key) : nullptr;
    return value && value->is_string() ? value->as_string() : "";
}

// "glm5 0.1.0": whose models they are, and the version; what is not told is left out.
std::string describe_server(const loadgen::BenchmarkOptions& options) {
    const auto answer = [&](std::string_view path) {
        const auto body = loadgen::fetch(options, path);
        const auto value = body.ok() ? json::parse(*body) : Result<json::Value>(body.status());
        return value.ok() ? *value : json::Value();
    };
    const json::Value models = answer("/v1/models"), version = answer("/version");
    const json::Value* data = models.find("data");
    const json::Value* first = data && data->is_array() && !data->as_array().empty() ? &data->as_array()[0] : nullptr;
    const std::string owner = text_member(first, "owned_by"), number = text_member(&version, "version");
    if (owner.empty()) return number;
    return number.empty() ? owner : fmt::format("{} {}", owner, number);
}

Result<std::string> result_path(const BenchSweepOptions& options, const loadgen::SweepOptions& sweep) {
    namespace fs = std::filesystem;
    const fs::path directory = options.result_dir;
    std::error_code error;
    if (!directory.empty()) fs::create_directories(directory, error);
    if (error) return io_error("--result-dir {}: {}", options.result_dir, error.message());
    const std::string name =
        options.result_filename.empty() ? loadgen::sweep_file_name(sweep) : options.result_filename;
    if (!name.ends_with(".json")) return invalid_argument("--result-filename {}: must end in .json", name);
    return (directory / name).string();
}

void print(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

// Fills what `sweep` lacks: the model's name and the file's.
Result<loadgen::SweepOutcome> measure(const BenchSweepOptions& options, loadgen::SweepOptions& sweep) {
    const Interrupt interrupt;
    GLM5_ASSIGN_OR_RETURN(
        const BenchTokenizer tokenizer,
        open_bench_tokenizer(sweep.benchmark, options.tokenizer, options.download_dir, options.skip_tokenizer));
    GLM5_ASSIGN_OR_RETURN(sweep.result_path, result_path(options, sweep));

    BenchBar bar(options.progress);
    const loadgen::ReferenceTable* reference = nullptr;
    const loadgen::SweepHooks hooks = {
        .on_begin =
            [&](const loadgen::Sweep& known, const loadgen::ReferenceTable* found) {
                reference = found;
                if (!known.levels.empty())
                    log_info("{} has {} levels; they stay", sweep.result_path, known.levels.size());
                print(loadgen::level_heading(reference));
            },
        .on_level_begin = [](int concurrency) { log_debug("Concurrency {}", concurrency); },
        .on_level_end =
            [&](const loadgen::SweepLevel& level, bool) {
                bar.finish();
                print(loadgen::level_line(level, reference));
            },
    };
    const loadgen::Hooks benchmark_hooks = {
        .on_progress = [&](const loadgen::Progress& progress) { bar.update(progress); },
        .interrupted = Interrupt::pressed,
    };
    auto outcome = loadgen::run_sweep(sweep, describe_server(sweep.benchmark),
                                      loadgen::run_on_server(tokenizer.get(), benchmark_hooks), hooks);
    bar.finish();
    return outcome;
}

}  // namespace

Result<BenchSweepOptions> bench_sweep_options(const cli::CommandLine& line) {
    const cli::Values& values = line.values;
    BenchSweepOptions options;
    options.log = cli::log_options(values);
    loadgen::SweepOptions& sweep = options.sweep;
    GLM5_ASSIGN_OR_RETURN(sweep.benchmark, benchmark_options(line));
    if (values.has("--concurrency")) {
        GLM5_ASSIGN_OR_RETURN(sweep.concurrencies, parse_concurrencies(values.texts("--concurrency")));
    }
    if (const int64_t num_prompts = values.number("--num-prompts"); num_prompts > 0)
        sweep.num_prompts = static_cast<int>(num_prompts);
    sweep.prompts_per_stream = static_cast<int>(values.number("--prompts-per-stream"));
    if (values.has("--max-ttft")) sweep.max_ttft_ms = values.real("--max-ttft");
    sweep.reference = values.text("--reference");
    options.tokenizer = values.text_or_empty("--tokenizer");
    options.download_dir = values.text_or_empty("--download-dir");
    options.skip_tokenizer = values.flag("--skip-tokenizer-init");
    options.progress = !values.flag("--disable-tqdm");
    options.result_dir = values.text_or_empty("--result-dir");
    options.result_filename = values.text_or_empty("--result-filename");
    return options;
}

int run_bench_sweep(const BenchSweepOptions& options) {
    loadgen::SweepOptions sweep = options.sweep;
    const auto outcome = measure(options, sweep);
    if (!outcome.ok()) return report_error(outcome.status());
    const loadgen::Sweep& measured = outcome->sweep;
    if (!measured.levels.empty()) {
        print("\n" + loadgen::to_text(measured, outcome->reference));
        log_info("The report is in {}, with {} and {}", loadgen::beside(sweep.result_path, ".html"),
                 loadgen::beside(sweep.result_path, ".csv"), sweep.result_path);
    }
    if (outcome->interrupted) {
        log_warning("interrupted; the same command goes on with the levels that are not done");
        return kInterrupted;
    }
    const bool complete = std::all_of(measured.levels.begin(), measured.levels.end(),
                                      [](const loadgen::SweepLevel& level) { return level.is_complete(); });
    return complete ? 0 : 1;
}

}  // namespace glm5
