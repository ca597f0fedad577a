// Sweep: one benchmark after another at rising concurrency against one server. The files are written anew after each
// level, so that whatever ends the sweep leaves what was measured, and the next run begins behind it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/benchmark.h"
#include "loadgen/sweep_reference.h"
#include "loadgen/sweep_result.h"

namespace glm5::loadgen {

struct SweepOptions {
    BenchmarkOptions benchmark;  // of every level, which sets num_prompts, num_warmups, max_concurrency and seed
    std::vector<int> concurrencies = {1, 8, 16, 32, 64, 128, 256, 512, 1024};
    std::optional<int> num_prompts;  // of every level; none: max(prompts_per_stream · concurrency, 32)
    int prompts_per_stream = 5;
    std::optional<double> max_ttft_ms;  // no level follows one whose mean is above it
    std::string reference = "auto";     // as find_reference
    std::string result_path;            // of the JSON file; .csv and .html lie beside it
};

// What the file keeps, and must be equal to be continued.
json::Object sweep_settings(const SweepOptions& options);

// The benchmark of one level: a request of each stream warms up, and prompts differ from those of other levels.
BenchmarkOptions level_options(const SweepOptions& options, int concurrency);

// Runs one level; none when it was interrupted.
using RunLevel = std::function<Result<std::optional<SweepLevel>>(const BenchmarkOptions& options)>;

// Against the server: figures of the requests, and the server's metrics meanwhile.
RunLevel run_on_server(const text::Tokenizer* tokenizer, const Hooks& hooks);

struct SweepHooks {
    std::function<void(const Sweep& sweep, const ReferenceTable* reference)> on_begin;
    std::function<void(int concurrency)> on_level_begin;
    // `reused`: it was in the file.
    std::function<void(const SweepLevel& level, bool reused)> on_level_end;
};

struct SweepOutcome {
    Sweep sweep;
    const ReferenceTable* reference = nullptr;
    bool interrupted = false;
};

// Runs the levels that the file lacks, or has with failed requests. It ends after a level of which every request failed
// and, by max_ttft_ms, of which the wait was too long; Sweep::note says so. Errors: options, a file that holds
// something else, a level that cannot be run.
Result<SweepOutcome> run_sweep(const SweepOptions& options, const std::string& server, const RunLevel& run_level,
                               const SweepHooks& hooks = {});

// The JSON, CSV and HTML files.
Status write_reports(const Sweep& sweep, const ReferenceTable* reference, const std::string& result_path);
// "dir/name.json" and ".csv" → "dir/name.csv".
std::string beside(const std::string& result_path, std::string_view extension);

// sweep-{model basename}-{input}-{output}.json
std::string sweep_file_name(const SweepOptions& options);

}  // namespace glm5::loadgen
