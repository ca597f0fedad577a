// Splits what the model writes into its reasoning and its answer, as the text arrives.
#pragma once

#include <string>
#include <string_view>

namespace glm5::chat {

// How a rendered prompt ends, which decides what the first characters of the completion are.
enum class PromptEnd {
    open_reasoning,    // <think>: they are reasoning
    closed_reasoning,  // </think>: they are the answer, and <think> in it is ordinary text
    text               // neither: they are the answer, until a <think>
};

// By the end of `prompt`, white space aside.
PromptEnd prompt_end(std::string_view prompt);

struct ReasoningDelta {
    std::string reasoning;
    std::string content;
};

// Feed the text in pieces of any size; the concatenated deltas do not depend on the cuts. Only what may be the
// beginning of a tag is held back. In reasoning, </think> begins the content and a repeated <think> is dropped. In
// content, <think> begins reasoning unless the prompt closed it, and a stray </think> is dropped; newlines between a
// </think> and the first character of the content are dropped. When the output ends inside reasoning, all of it is
// reasoning.
class ReasoningSplitter {
public:
    explicit ReasoningSplitter(PromptEnd prompt_end);

    ReasoningDelta push(std::string_view text);
    // The end of the output: what was held back is text.
    ReasoningDelta finish();

    bool in_reasoning() const { return in_reasoning_; }

private:
    void append_text(ReasoningDelta& delta, std::string_view text);

    bool in_reasoning_;
    bool may_reason_;
    bool drops_newlines_;
    bool has_content_ = false;
    std::string held_back_;
};

}  // namespace glm5::chat
