// PCRE2 behind RegexSplitter; the only file that includes it.
#include "text/regex_split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <string>

#include "text/utf8.h"

namespace glm5::text {
namespace {

constexpr size_t kMaxPatternBytes = 1 << 16;
constexpr uint32_t kMaxNesting = 100;
constexpr uint32_t kHeapLimitKib = 16 << 10;  // of the interpreter, where the JIT stack does not suffice

// Backtracking steps. Each match may use kFreeSteps; those that need more draw on a budget for the whole text.
constexpr uint32_t kFreeSteps = 256;
constexpr uint64_t kBudgetSteps = 1'000'000;
constexpr uint64_t kBudgetStepsPerByte = 64;

template <auto Free>
struct Deleter {
    template <typename T>
    void operator()(T* pointer) const {
        Free(pointer);
    }
};
using CodePointer = std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using CompileContext = std::unique_ptr<pcre2_compile_context, Deleter<pcre2_compile_context_free>>;

// A construct of `pattern` that Oniguruma reads otherwise than PCRE2, or nothing.
std::string_view ambiguous_construct(std::string_view pattern) {
    for (size_t i = 0; i < pattern.size(); ++i) {
        const std::string_view rest = pattern.substr(i);
        if (rest.starts_with("&&")) return "&&";  // there, inside of a class: intersection
        if (rest.starts_with("(?")) {
            const std::string_view flags = rest.substr(2, rest.find_first_not_of("imsx-", 2) - 2);
            if (flags.find('m') != flags.npos) return "(?m)";  // there: the dot takes newlines
        }
        if (rest.front() == '\\' && rest.size() > 1) {
            // There \h is a hexadecimal digit, and combining marks are parts of words.
            if (std::string_view("hHwWbB").find(rest[1]) != rest.npos) return rest.substr(0, 2);
            ++i;
        }
    }
    return {};
}

// Finds the matches in one text.
class Matcher {
public:
    Matcher(const pcre2_code* code, std::string_view text)
        : code_(code),
          text_(text),
          data_(pcre2_match_data_create_from_pattern(code, nullptr)),
          context_(pcre2_match_context_create(nullptr)),
          budget_(kBudgetSteps + kBudgetStepsPerByte * text.size()) {
        GLM5_CHECK(data_ != nullptr && context_ != nullptr, "out of memory");
        pcre2_set_heap_limit(context_.get(), kHeapLimitKib);
    }

    // The first match at or after `offset`, before the end of the text; false when there is none, or the budget is
    // spent. Each position is tried by itself, because PCRE2 counts steps anew for each.
    bool find(size_t offset) {
        for (; offset < text_.size(); offset += static_cast<size_t>(decode_valid_utf8(text_, offset).length)) {
            const int result = match_at(offset);
            if (result == PCRE2_ERROR_NOMATCH) continue;
            // \K may put the start of a match elsewhere, even behind its end.
            return result > 0 && offset <= start() && start() <= end();
        }
        return false;
    }

    size_t start() const { return pcre2_get_ovector_pointer(data_.get())[0]; }
    size_t end() const { return pcre2_get_ovector_pointer(data_.get())[1]; }

private:
    int match_at(size_t offset) {
        for (uint64_t steps = kFreeSteps;; steps *= 16) {
            if (steps > kFreeSteps) {
                if (steps > budget_) return PCRE2_ERROR_MATCHLIMIT;
                budget_ -= steps;
            }
            pcre2_set_match_limit(context_.get(), static_cast<uint32_t>(std::min<uint64_t>(steps, UINT32_MAX)));
            int result = match(offset, 0);
            if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = match(offset, PCRE2_NO_JIT);
            if (result != PCRE2_ERROR_MATCHLIMIT) return result;
        }
    }

    int match(size_t offset, uint32_t options) {
        return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(), offset,
                           options | PCRE2_NO_UTF_CHECK, data_.get(), context_.get());
    }

    const pcre2_code* code_;
    std::string_view text_;
    MatchData data_;
    MatchContext context_;
    uint64_t budget_;
};

}  // namespace

struct RegexSplitter::Code {
    CodePointer pointer;
};

RegexSplitter::RegexSplitter(std::unique_ptr<Code> code) : code_(std::move(code)) {}
RegexSplitter::~RegexSplitter() = default;

Result<std::unique_ptr<RegexSplitter>> RegexSplitter::compile(std::string_view pattern) {
    const std::string_view ambiguous = ambiguous_construct(pattern);
    if (!ambiguous.empty()) return unsupported("{} in a regular expression is not supported", ambiguous);
    const CompileContext context(pcre2_compile_context_create(nullptr));
    GLM5_CHECK(context != nullptr, "out of memory");
    pcre2_set_max_pattern_length(context.get(), kMaxPatternBytes);
    pcre2_set_parens_nest_limit(context.get(), kMaxNesting);
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
    int error = 0;
    size_t error_offset = 0;
    // As in Oniguruma, ^ and $ are at every line.
    constexpr uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    CodePointer code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), kOptions, &error,
                                   &error_offset, context.get()));
    if (code == nullptr) {
        char message[256] = "";
        pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof message);
        return invalid_argument("the regular expression is wrong at offset {}: {}", error_offset, message);
    }
    // Where the JIT compiler is not to be had, PCRE2 interprets: slower, the same pieces.
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
    return std::unique_ptr<RegexSplitter>(new RegexSplitter(std::make_unique<Code>(Code{std::move(code)})));
}

void RegexSplitter::split(std::string_view text, std::vector<uint32_t>& ends) const {
    size_t piece_start = 0;
    const auto end_piece = [&](size_t end) {
        if (end > piece_start) ends.push_back(static_cast<uint32_t>(end));
        piece_start = end;
    };
    Matcher matcher(code_->pointer.get(), text);
    // An empty match cuts the text where it stands, except right behind another match.
    for (size_t offset = 0; offset < text.size() && matcher.find(offset);) {
        end_piece(matcher.start());
        end_piece(matcher.end());
        offset = matcher.end();
        if (matcher.start() == matcher.end() && offset < text.size()) {
            offset += static_cast<size_t>(decode_valid_utf8(text, offset).length);
        }
    }
    end_piece(text.size());
}

}  // namespace glm5::text
