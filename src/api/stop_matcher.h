// StopMatcher: finds the first of some strings in text that arrives in pieces, and holds back what may become one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace glm5::api {

// The stop string that ends first wins; of several that end at the same byte, the longest. So the result does not
// depend on how the text is cut into pieces. Copies share what is made of the stop strings, so a copy is cheap.
class StopMatcher {
public:
    // `stops`: none is empty. Kept in the text when `include` is set.
    StopMatcher(const std::vector<std::string>& stops, bool include);

    // Takes the next piece and returns the text that can no longer belong to a stop string. After a match: the text
    // before it (or with it), and every later piece is dropped.
    std::string push(std::string_view text);
    // The end of the text: what was held back.
    std::string finish();

    bool matched() const { return matched_.has_value(); }
    // The stop string that was found. Requires matched().
    const std::string& match() const { return (*patterns_)[*matched_].text; }

private:
    // For the automaton of Knuth, Morris and Pratt.
    struct Pattern {
        std::string text;
        std::vector<size_t> border;  // [i]: longest proper prefix of text[0…i] that is its suffix
    };

    std::shared_ptr<const std::vector<Pattern>> patterns_;
    std::vector<size_t> lengths_;  // [pattern]: so many of its first bytes are a suffix of the text so far
    bool include_;
    std::string held_;
    std::optional<size_t> matched_;  // index of the pattern
};

}  // namespace glm5::api
