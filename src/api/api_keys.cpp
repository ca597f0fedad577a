// Digests are compared, whole and all of them, so that neither time nor length tells about a key.
#include "api/api_keys.h"

#include <algorithm>

namespace glm5::api {
namespace {

// The token of "Bearer TOKEN"; the scheme in any case.
std::optional<std::string_view> bearer_token(std::string_view value) {
    constexpr std::string_view kScheme = "bearer ";
    if (value.size() < kScheme.size()) return std::nullopt;
    const bool matches = std::equal(kScheme.begin(), kScheme.end(), value.begin(), [](char expected, char c) {
        return expected == (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    });
    if (!matches) return std::nullopt;
    value.remove_prefix(std::min(value.size(), value.find_first_not_of(' ', kScheme.size())));
    return value;
}

}  // namespace

ApiKeys::ApiKeys(const std::vector<std::string>& keys) {
    for (const std::string& key : keys) digests_.push_back(sha256(key));
}

bool ApiKeys::accepts(std::string_view key) const {
    const Sha256 digest = sha256(key);
    bool found = false;
    for (const Sha256& known : digests_) {
        uint8_t difference = 0;
        for (size_t i = 0; i < digest.size(); ++i) difference |= static_cast<uint8_t>(digest[i] ^ known[i]);
        found |= difference == 0;
    }
    return found;
}

std::optional<ApiError> ApiKeys::check(const http::Headers& headers) const {
    if (digests_.empty()) return std::nullopt;
    const auto authorization = headers.find("Authorization");
    const auto bearer = authorization ? bearer_token(*authorization) : std::nullopt;
    const auto key = headers.find("x-api-key");
    if (!bearer && !key)
        return ApiError{401, "An API key is needed: send Authorization: Bearer KEY, or x-api-key: KEY.", {}};
    if ((bearer && accepts(*bearer)) || (key && accepts(*key))) return std::nullopt;
    return ApiError{401, "The API key is not valid.", {}};
}

}  // namespace glm5::api
