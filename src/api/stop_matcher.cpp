// One automaton per stop string, a step per byte.
#include "api/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace glm5::api {

StopMatcher::StopMatcher(const std::vector<std::string>& stops, bool include) : include_(include) {
    std::vector<Pattern> patterns;
    for (const std::string& stop : stops) {
        Pattern pattern{stop, std::vector<size_t>(stop.size(), 0)};
        for (size_t i = 1, length = 0; i < stop.size(); ++i) {
            while (length > 0 && stop[i] != stop[length]) length = pattern.border[length - 1];
            if (stop[i] == stop[length]) ++length;
            pattern.border[i] = length;
        }
        patterns.push_back(std::move(pattern));
    }
    lengths_.resize(patterns.size());
    patterns_ = std::make_shared<const std::vector<Pattern>>(std::move(patterns));
}

std::string StopMatcher::push(std::string_view text) {
    if (matched_) return {};
    if (lengths_.empty()) return std::string(text);
    for (const char c : text) {
        held_ += c;
        for (size_t i = 0; i < lengths_.size(); ++i) {
            const Pattern& pattern = (*patterns_)[i];
            size_t& length = lengths_[i];
            while (length > 0 && pattern.text[length] != c) length = pattern.border[length - 1];
            if (pattern.text[length] == c) ++length;
            if (length == pattern.text.size() && (!matched_ || length > match().size())) matched_ = i;
        }
        if (matched_) {
            if (!include_) held_.resize(held_.size() - match().size());
            return std::exchange(held_, {});
        }
    }
    const size_t waiting = *std::max_element(lengths_.begin(), lengths_.end());
    std::string out = held_.substr(0, held_.size() - waiting);
    held_.erase(0, out.size());
    return out;
}

std::string StopMatcher::finish() {
    return std::exchange(held_, {});
}

}  // namespace glm5::api
