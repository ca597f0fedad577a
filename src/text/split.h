// Cuts text into pre-tokens, the pieces that byte-pair encoding never crosses, by the regular expression of the
// tokenizer: GLM's own by a hand-written scanner, any other by PCRE2.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace glm5::text {

// The split pattern of the GLM-5 family (docs/model.md).
extern const std::string_view kGlmSplitPattern;

// Appends the end of each piece of `text` (valid UTF-8), in order, as offset into it: the matches of kGlmSplitPattern,
// which leave no gaps.
void split_glm(std::string_view text, std::vector<uint32_t>& ends);

class RegexSplitter;

// Immutable and thread safe.
class Splitter {
public:
    // Fails when `pattern` does not compile.
    static Result<Splitter> from_pattern(std::string_view pattern);

    Splitter(Splitter&&) noexcept;
    Splitter& operator=(Splitter&&) noexcept;
    ~Splitter();

    // As split_glm, for this pattern. What lies between matches is a piece too, and no piece is empty.
    void split(std::string_view text, std::vector<uint32_t>& ends) const;

private:
    explicit Splitter(std::unique_ptr<RegexSplitter> regex);

    std::unique_ptr<RegexSplitter> regex_;  // null: GLM's pattern
};

}  // namespace glm5::text
