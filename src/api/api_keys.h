// ApiKeys: who may call. Holds digests of the keys, never the keys.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/error.h"
#include "base/sha256.h"
#include "http/message.h"

namespace glm5::api {

class ApiKeys {
public:
    // Without keys everybody may call.
    explicit ApiKeys(const std::vector<std::string>& keys);

    // 401 unless "Authorization: Bearer KEY" or "x-api-key: KEY" has one of the keys. Takes equally long for every key,
    // right or wrong.
    std::optional<ApiError> check(const http::Headers& headers) const;

private:
    bool accepts(std::string_view key) const;

    std::vector<Sha256> digests_;
};

}  // namespace glm5::api
