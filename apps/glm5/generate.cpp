// glm5 generate: the completions of one prompt on standard output; a single one as it comes.
#include <cstdio>

#include "completion.h"
#include "open_model.h"
#include "subcommands.h"
#include "text/detokenizer.h"

namespace glm5 {
namespace {

constexpr std::chrono::milliseconds kWait{1000};
constexpr SamplingDefaults kGreedy{.temperature = 0, .top_p = 1};

Result<std::string> prompt_text(const cli::GenerateOptions& options, const ModelFiles& files) {
    if (!options.chat) return options.prompt;
    if (!files.chat_format) return invalid_argument("--chat: the model has no chat template");
    chat::RenderOptions render;
    render.template_kwargs.set("enable_thinking", options.thinking);
    const json::Value messages =
        json::Value::array({json::Value::object({{"role", "user"}, {"content", options.prompt}})});
    auto rendered = files.chat_format->render(messages, nullptr, render);
    if (const auto* error = std::get_if<chat::MessageError>(&rendered)) return error->status();
    return std::get<chat::ChatPrompt>(rendered).text;
}

void print(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

// Prints the text of a single choice as it comes, and several one after the other at the end, each under a line with
// its number.
Status print_completion(Engine& engine, const text::Tokenizer& tokenizer, Request request, bool stats) {
    const int num_choices = request.num_choices;
    CompletionStats counts(request.prompt.size());
    GLM5_ASSIGN_OR_RETURN(Completion completion, Completion::start(engine, std::move(request)));
    std::vector<text::Detokenizer> detokenizers(static_cast<size_t>(num_choices), text::Detokenizer(tokenizer, true));
    std::vector<std::string> texts(static_cast<size_t>(num_choices));
    while (!completion.ended()) {
        for (const Event& event : completion.wait(kWait)) {
            if (event.finish_reason == FinishReason::error) return io_error("{}", event.error);
            counts.add(event);
            const auto choice = static_cast<size_t>(event.choice);
            for (const int32_t token : text_tokens(event)) detokenizers[choice].push(texts[choice], token);
            if (event.finish_reason != FinishReason::none) detokenizers[choice].finish(texts[choice]);
            if (num_choices == 1) print(std::exchange(texts[0], {}));
        }
    }
    if (num_choices == 1) print("\n");
    for (int i = 0; num_choices > 1 && i < num_choices; ++i)
        print(fmt::format("--- choice {}\n{}\n", i, texts[static_cast<size_t>(i)]));
    if (stats) fmt::print(stderr, "{}\n", counts.text());
    return {};
}

Status generate(const cli::GenerateOptions& options) {
    GLM5_ASSIGN_OR_RETURN(const ModelFiles files, open_model_files(options.model));
    GLM5_ASSIGN_OR_RETURN(const std::string text, prompt_text(options, files));
    std::vector<int32_t> prompt = files.tokenizer.encode(text);
    GLM5_ASSIGN_OR_RETURN(const auto engine, open_engine(files, options.run));
    GLM5_ASSIGN_OR_RETURN(Request request, make_request(std::move(prompt), options.sampling, kGreedy,
                                                        options.max_tokens, engine->info().max_model_len));
    request.num_choices = options.num_choices;
    request.sampling.ignore_eos = options.ignore_eos;
    return print_completion(*engine, files.tokenizer, std::move(request), options.stats);
}

}  // namespace

int run_generate(const cli::GenerateOptions& options) {
    const Status status = generate(options);
    return status.ok() ? 0 : report_error(status);
}

}  // namespace glm5
