// The option table, put together, and the table of subcommands.
#include "cli/option.h"
#include "cli/option_rows.h"

namespace glm5::cli {

const std::vector<Option>& option_table() {
    static const std::vector<Option> table = [] {
        std::vector<Option> rows;
        add_model_and_server_options(rows);
        add_run_options(rows);
        add_plan_options(rows);
        add_bench_options(rows);
        add_step_options(rows);
        add_sweep_options(rows);
        add_prompt_and_log_options(rows);
        add_vllm_options(rows);
        return rows;
    }();
    return table;
}

const std::vector<CommandInfo>& command_table() {
    static const std::vector<CommandInfo> table = {
        {kServe, "serve", "[MODEL]", "answer requests over the OpenAI API"},
        {kChat, "chat", "[MODEL]", "talk with the model in this terminal"},
        {kGenerate, "generate", "MODEL PROMPT", "continue one prompt and print the text"},
        {kPlan, "plan", "MODEL|config.json", "say what fits on which device, without one"},
        {kInspect, "inspect", "MODEL", "show what a checkpoint holds and check it"},
        {kBenchServe, "bench serve", "", "put load on a server and measure its answers"},
        {kBenchStep, "bench step", "MODEL|config.json", "time one rank's steps at a model's real sizes, with random weights"},
        {kBenchSweep, "bench sweep", "", "put load on a server at one concurrency after another, with a report"},
    };
    return table;
}

}  // namespace glm5::cli
