// main: arguments → a subcommand.
#include <unistd.h>

#include <cstdio>

#include "base/log.h"
#include "bench_options.h"
#include "bench_step.h"
#include "bench_sweep.h"
#include "subcommands.h"

namespace glm5 {
namespace {

cli::Environment environment_variables() {
    cli::Environment variables;
    for (char** entry = environ; *entry; ++entry) {
        const std::string_view text(*entry);
        const size_t equals = text.find('=');
        if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return variables;
}

void set_up_log(const cli::LogOptions& options) {
    set_log_level(options.level);
    set_log_format(options.format);
}

template <typename Options>
int run(const Result<Options>& options, const cli::CommandLine& line, int (*command)(const Options&)) {
    if (!options.ok()) return report_error(options.status());
    set_up_log(options->log);
    if (!line.given.empty()) log_info("Options: {}", fmt::join(line.given, ", "));
    for (const std::string& warning : line.warnings) log_warning("{}", warning);
    return command(*options);
}

int run_main(const std::vector<std::string>& arguments) {
    const auto line = cli::parse(arguments, environment_variables());
    if (!line.ok()) return report_error(line.status());
    if (!line->text.empty()) {
        std::fputs(line->text.c_str(), stdout);
        return 0;
    }
    switch (line->command) {
        case cli::kServe: return run(cli::serve_options(*line), *line, run_serve);
        case cli::kChat: return run(cli::chat_options(*line), *line, run_chat);
        case cli::kGenerate: return run(cli::generate_options(*line), *line, run_generate);
        case cli::kPlan: return run(cli::plan_options(*line), *line, run_plan);
        case cli::kBenchServe: return run(bench_serve_options(*line), *line, run_bench_serve);
        case cli::kBenchSweep: return run(bench_sweep_options(*line), *line, run_bench_sweep);
        case cli::kBenchStep: return run(bench_step_options(*line), *line, run_bench_step);
        case cli::kInspect: return run(cli::inspect_options(*line), *line, run_inspect);
    }
    return 2;
}

}  // namespace

int report_error(const Status& status) {
    fmt::print(stderr, "glm5: {}\n", status.message());
    switch (status.code()) {
        case StatusCode::resource_exhausted: return 3;
        case StatusCode::io_error: return 1;
        default: return 2;
    }
}

}  // namespace glm5

int main(int argc, char** argv) {
    return glm5::run_main({argv + 1, argv + argc});
}
