// glm5 bench serve: load on a server, the table on standard output, and the file of the result.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/log.h"
#include "bench_options.h"
#include "bench_progress.h"
#include "json/write.h"
#include "subcommands.h"

namespace glm5 {
namespace {

constexpr int kInterrupted = 130;

Status write_result(const BenchServeOptions& options, const loadgen::BenchmarkResult& result) {
    if (!options.save_result && !options.append_result) return {};
    namespace fs = std::filesystem;
    const fs::path directory = options.result_dir;
    std::error_code error;
    if (!directory.empty()) fs::create_directories(directory, error);
    if (error) return io_error("--result-dir {}: {}", options.result_dir, error.message());
    const fs::path path =
        directory / (options.result_filename.empty() ? loadgen::result_file_name(result) : options.result_filename);
    const std::string text = json::write(loadgen::to_json(result, options.save_detailed));
    std::FILE* file = std::fopen(path.c_str(), options.append_result ? "ab" : "wb");
    if (!file) return io_error("{}: {}", path.string(), std::strerror(errno));
    // A line of its own, behind what is there.
    const bool begins_line = options.append_result && std::fseek(file, 0, SEEK_END) == 0 && std::ftell(file) > 0;
    const bool written = (!begins_line || std::fputc('\n', file) != EOF) &&
                         std::fwrite(text.data(), 1, text.size(), file) == text.size();
    const bool closed = std::fclose(file) == 0;
    if (!written || !closed) return io_error("{}: cannot be written", path.string());
    log_info("The result is in {}", path.string());
    return {};
}

void say_what_runs(const loadgen::BenchmarkOptions& options) {
    if (!options.sampling.contains("temperature") && !options.extra_body.contains("temperature"))
        log_warning("no --temperature: the server decides how tokens are chosen");
    log_info("{}{} gets {} requests", options.base_url, options.endpoint, options.num_prompts);
}

Result<loadgen::BenchmarkResult> measure(const BenchServeOptions& options) {
    const Interrupt interrupt;
    loadgen::BenchmarkOptions benchmark = options.benchmark;
    GLM5_ASSIGN_OR_RETURN(
        const BenchTokenizer tokenizer,
        open_bench_tokenizer(benchmark, options.tokenizer, options.download_dir, options.skip_tokenizer));
    say_what_runs(benchmark);
    BenchBar bar(options.progress);
    auto result =
        loadgen::run_benchmark(benchmark, tokenizer.get(),
                               {.on_progress = [&](const loadgen::Progress& progress) { bar.update(progress); },
                                .interrupted = Interrupt::pressed});
    bar.finish();
    return result;
}

}  // namespace

int run_bench_serve(const BenchServeOptions& options) {
    const auto result = measure(options);
    if (!result.ok()) return report_error(result.status());
    fmt::print("{}", loadgen::to_table(*result));
    std::fflush(stdout);
    const Status written = write_result(options, *result);
    if (!written.ok()) return report_error(written);
    if (result->interrupted) return kInterrupted;
    return result->completed > 0 ? 0 : 1;
}

}  // namespace glm5
