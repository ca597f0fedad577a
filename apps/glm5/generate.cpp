// glm5 generate: one prompt, its text on standard output as it comes.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>

#include "base/log.h"
#include "open_model.h"
#include "subcommands.h"
#include "text/detokenizer.h"

namespace glm5 {
namespace {

using Clock = std::chrono::steady_clock;

// Events between the engine's thread and this one.
class EventQueue {
public:
    void push(Event event) {
        {
            const std::lock_guard lock(mutex_);
            events_.push_back(std::move(event));
        }
        changed_.notify_one();
    }

    std::vector<Event> take() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !events_.empty(); });
        return std::exchange(events_, {});
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Event> events_;
};

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

void print_stats(int64_t prompt_tokens, int64_t tokens, Clock::duration first, Clock::duration total) {
    const double first_s = std::chrono::duration<double>(first).count(),
                 total_s = std::chrono::duration<double>(total).count();
    fmt::print(stderr, "{} prompt tokens in {:.3f} s ({:.1f} per second); {} tokens in {:.3f} s ({:.1f} per second)\n",
               prompt_tokens, first_s, static_cast<double>(prompt_tokens) / std::max(first_s, 1e-9), tokens,
               total_s - first_s,
               static_cast<double>(std::max<int64_t>(tokens - 1, 0)) / std::max(total_s - first_s, 1e-9));
}

// Prints the completion. The last token of a stop is an end token, which is no text.
Status stream_completion(Engine& engine, const text::Tokenizer& tokenizer, Request request, bool stats) {
    EventQueue queue;
    const auto prompt_tokens = static_cast<int64_t>(request.prompt.size());
    const auto start = Clock::now();
    Clock::duration first{};
    int64_t tokens = 0;
    const auto id = engine.submit(std::move(request), [&queue](Event event) { queue.push(std::move(event)); });
    if (!id.ok()) return id.status();
    text::Detokenizer detokenizer(tokenizer, true);
    for (;;) {
        for (const Event& event : queue.take()) {
            if (event.finish_reason == FinishReason::error) return io_error("{}", event.error);
            if (tokens == 0 && !event.tokens.empty()) first = Clock::now() - start;
            tokens += static_cast<int64_t>(event.tokens.size());
            const bool ends_in_stop = event.finish_reason == FinishReason::stop && !event.tokens.empty();
            std::string text;
            for (size_t i = 0; i + (ends_in_stop ? 1 : 0) < event.tokens.size(); ++i)
                detokenizer.push(text, event.tokens[i]);
            print(text);
            if (event.finish_reason == FinishReason::none) continue;
            print(detokenizer.finish() + "\n");
            if (stats) print_stats(prompt_tokens, tokens, first, Clock::now() - start);
            return {};
        }
    }
}

Status generate(const cli::GenerateOptions& options) {
    GLM5_ASSIGN_OR_RETURN(const ModelFiles files, open_model_files(options.model));
    GLM5_ASSIGN_OR_RETURN(const std::string text, prompt_text(options, files));
    Request request;
    request.prompt = files.tokenizer.encode(text);
    if (request.prompt.empty()) return invalid_argument("the prompt has no tokens");
    GLM5_ASSIGN_OR_RETURN(const auto engine, open_engine(files, options.run, nullptr));
    const int room = engine->info().max_model_len - static_cast<int>(std::min<size_t>(request.prompt.size(), 1 << 30));
    if (room < 1 || options.max_tokens > room)
        return invalid_argument("the prompt has {} tokens and --max-tokens is {}; the context holds {}",
                                request.prompt.size(), options.max_tokens, engine->info().max_model_len);
    request.sampling.max_tokens = options.max_tokens > 0 ? options.max_tokens : room;
    return stream_completion(*engine, files.tokenizer, std::move(request), options.stats);
}

}  // namespace

int run_generate(const cli::GenerateOptions& options) {
    const Status status = generate(options);
    return status.ok() ? 0 : report_error(status);
}

}  // namespace glm5
