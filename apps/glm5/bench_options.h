// What the subcommands of `glm5 bench` share: options that put load on a server, the tokenizer, Ctrl-C and the bar.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "cli/commands.h"
#include "loadgen/benchmark.h"
#include "text/tokenizer.h"

namespace glm5 {

struct BenchServeOptions {
    cli::LogOptions log;
    loadgen::BenchmarkOptions benchmark;
    std::string tokenizer, download_dir;
    bool skip_tokenizer = false, progress = true;
    bool save_result = false, save_detailed = false, append_result = false;
    std::string result_dir, result_filename;
};

// Requires a line of bench serve.
Result<BenchServeOptions> bench_serve_options(const cli::CommandLine& line);

// The options of both commands: server, dataset and sampling.
Result<loadgen::BenchmarkOptions> benchmark_options(const cli::CommandLine& line);

// The name of the model, from the server when none is given, and its tokenizer: `tokenizer`, else that of the model.
// Fills model, model_id and tokenizer_id.
struct BenchTokenizer {
    std::optional<text::Tokenizer> tokenizer;
    const text::Tokenizer* get() const { return tokenizer ? &*tokenizer : nullptr; }
};
Result<BenchTokenizer> open_bench_tokenizer(loadgen::BenchmarkOptions& options, const std::string& tokenizer,
                                            const std::string& download_dir, bool skip);

}  // namespace glm5
