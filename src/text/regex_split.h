// Pre-token splitting by any regular expression, through PCRE2 with its JIT compiler. PCRE2 10.42 has the classes of
// Unicode 14, and its \s takes U+180E: there such a pattern may split otherwise than in Oniguruma, which the Hugging
// Face library uses. Constructs that the two read differently are refused.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace glm5::text {

// Immutable and thread safe.
class RegexSplitter {
public:
    static Result<std::unique_ptr<RegexSplitter>> compile(std::string_view pattern);
    ~RegexSplitter();

    // As Splitter::split. Backtracking is bounded by a multiple of the length of `text`: when a pattern needs more, the
    // rest of the text is one piece.
    void split(std::string_view text, std::vector<uint32_t>& ends) const;

private:
    struct Code;
    explicit RegexSplitter(std::unique_ptr<Code> code);

    std::unique_ptr<Code> code_;
};

}  // namespace glm5::text
