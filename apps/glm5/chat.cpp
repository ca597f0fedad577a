// glm5 chat: a conversation in the terminal, with the engine in this process.
#include "completion.h"
#include "open_model.h"
#include "subcommands.h"
#include "terminal.h"
#include "text/detokenizer.h"

namespace glm5 {
namespace {

constexpr std::chrono::milliseconds kWait{50};  // also how long Ctrl-C waits for an answer to stop

constexpr std::string_view kHelp =
    "/clear            forget the conversation\n"
    "/system [TEXT]    set or drop the system message\n"
    "/think on|off     reason before the answer, or not\n"
    "/help             this list\n"
    "/exit             leave; so does Ctrl-D\n"
    "Ctrl-C stops an answer.";

class Chat {
public:
    Chat(const cli::ChatOptions& options, const ModelFiles& files, Engine& engine, Terminal& terminal)
        : options_(options),
          files_(files),
          engine_(engine),
          terminal_(terminal),
          system_(options.system),
          thinking_(options.thinking) {}

    // Until the end of the input, or /exit.
    Status run();

private:
    // Whether to go on.
    bool command(const std::string& line);
    Status answer(const std::string& question);
    Result<chat::ChatPrompt> prompt() const;
    Status stream(const chat::ChatPrompt& prompt, chat::ReasoningDelta& whole);
    void write(const chat::ReasoningDelta& delta, chat::ReasoningDelta& whole);

    const cli::ChatOptions& options_;
    const ModelFiles& files_;
    Engine& engine_;
    Terminal& terminal_;
    std::string system_;
    bool thinking_;
    json::Array messages_;  // without the system message
    uint64_t num_answers_ = 0;
};

Status Chat::run() {
    terminal_.note(fmt::format("{} · /help lists the commands", files_.resolved.name));
    std::string line;
    for (;;) {
        switch (terminal_.read_line("> ", line)) {
            case Terminal::Read::end: terminal_.note(""); return {};
            case Terminal::Read::interrupted: terminal_.note("\nCtrl-D leaves"); continue;
            case Terminal::Read::line: break;
        }
        if (line.find_first_not_of(" \t") == std::string::npos) continue;
        if (line.starts_with('/')) {
            if (!command(line)) return {};
            continue;
        }
        const Status status = answer(line);
        // What the engine could not do ends the chat; a question that is too long does not.
        if (status.code() == StatusCode::invalid_argument)
            fmt::print(stderr, "glm5: {}\n", status.message());
        else if (!status.ok())
            return status;
    }
}

bool Chat::command(const std::string& line) {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string name = line.substr(0, space);
    const size_t begin = line.find_first_not_of(' ', space);
    const std::string argument = begin == std::string::npos ? "" : line.substr(begin);
    if (name == "/exit" || name == "/quit") return false;
    if (name == "/clear") {
        messages_.clear();
        terminal_.note("The conversation is forgotten.");
    } else if (name == "/system") {
        system_ = argument;
        terminal_.note(argument.empty() ? "There is no system message." : "The system message is set.");
    } else if (name == "/think" && (argument == "on" || argument == "off")) {
        thinking_ = argument == "on";
        terminal_.note(fmt::format("Thinking is {}.", argument));
    } else if (name == "/help") {
        terminal_.note(kHelp);
    } else {
        fmt::print(stderr, "glm5: {}: not a command; /help lists them\n", line.substr(0, 80));
    }
    return true;
}

Result<chat::ChatPrompt> Chat::prompt() const {
    json::Array messages;
    if (!system_.empty()) messages.push_back(json::Value::object({{"role", "system"}, {"content", system_}}));
    messages.insert(messages.end(), messages_.begin(), messages_.end());
    chat::RenderOptions render;
    render.template_kwargs.set("enable_thinking", thinking_);
    auto rendered = files_.chat_format->render(std::move(messages), nullptr, render);
    if (const auto* error = std::get_if<chat::MessageError>(&rendered)) return error->status();
    return std::get<chat::ChatPrompt>(std::move(rendered));
}

// A question that fails is no part of the conversation; an answer that was stopped is, as far as it went.
Status Chat::answer(const std::string& question) {
    messages_.push_back(json::Value::object({{"role", "user"}, {"content", question}}));
    chat::ReasoningDelta whole;
    const auto rendered = prompt();
    const Status status = rendered.ok() ? stream(*rendered, whole) : rendered.status();
    if (!status.ok()) {
        messages_.pop_back();
        return status;
    }
    messages_.push_back(json::Value::object(
        {{"role", "assistant"}, {"content", whole.content}, {"reasoning_content", whole.reasoning}}));
    return {};
}

void Chat::write(const chat::ReasoningDelta& delta, chat::ReasoningDelta& whole) {
    if (!delta.reasoning.empty()) {
        if (whole.reasoning.empty() && !terminal_.styled()) terminal_.write("<think>\n");
        terminal_.write(delta.reasoning, true);
    }
    if (!delta.content.empty()) {
        if (whole.content.empty() && !(whole.reasoning.empty() && delta.reasoning.empty()))
            terminal_.write(terminal_.styled() ? "\n\n" : "\n</think>\n");
        terminal_.write(delta.content);
    }
    whole.reasoning += delta.reasoning;
    whole.content += delta.content;
}

Status Chat::stream(const chat::ChatPrompt& prompt, chat::ReasoningDelta& whole) {
    const ModelInfo& info = engine_.info();
    std::vector<int32_t> tokens = files_.tokenizer.encode(prompt.text);
    CompletionStats stats(tokens.size());
    GLM5_ASSIGN_OR_RETURN(Request request, make_request(std::move(tokens), options_.sampling, info.sampling_defaults,
                                                        options_.max_tokens, info.max_model_len));
    request.sampling.seed += num_answers_++;
    GLM5_ASSIGN_OR_RETURN(Completion completion, Completion::start(engine_, std::move(request)));
    text::Detokenizer detokenizer(files_.tokenizer, true);
    chat::ReasoningSplitter splitter(prompt.end);
    FinishReason reason = FinishReason::none;
    while (!completion.ended()) {
        if (terminal_.take_interrupt()) completion.cancel();
        for (const Event& event : completion.wait(kWait)) {
            if (event.finish_reason == FinishReason::error) return io_error("{}", event.error);
            stats.add(event);
            reason = event.finish_reason;
            std::string text;
            for (const int32_t token : text_tokens(event)) detokenizer.push(text, token);
            write(splitter.push(text), whole);
        }
    }
    write(splitter.push(detokenizer.finish()), whole);
    write(splitter.finish(), whole);
    terminal_.write("\n");
    if (reason == FinishReason::cancelled) terminal_.note("(stopped)");
    if (reason == FinishReason::length) terminal_.note("(cut off: the limit of tokens is reached)");
    if (options_.stats) fmt::print(stderr, "{}\n", stats.text());
    return {};
}

Status chat_with(const cli::ChatOptions& options) {
    GLM5_ASSIGN_OR_RETURN(const ModelFiles files, open_model_files(options.model));
    if (!files.chat_format) return invalid_argument("{}: the model has no chat template", files.resolved.name);
    GLM5_ASSIGN_OR_RETURN(const auto engine, open_engine(files, options.run));
    Terminal terminal;
    return Chat(options, files, *engine, terminal).run();
}

}  // namespace

int run_chat(const cli::ChatOptions& options) {
    const Status status = chat_with(options);
    return status.ok() ? 0 : report_error(status);
}

}  // namespace glm5
