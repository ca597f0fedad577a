// The bytes of the requests that a benchmark sends.
#pragma once

#include <string>
#include <string_view>

#include "loadgen/benchmark.h"
#include "loadgen/dataset.h"
#include "loadgen/url.h"

namespace glm5::loadgen {

// The JSON body: {model, prompt, max_tokens, stream …} or {model, messages, max_completion_tokens, stream …}, and over
// it the sampling and extra_body of the options.
std::string request_body(const BenchmarkOptions& options, const Sample& sample);

// A whole HTTP request; `request_id` and `body` may be empty.
std::string http_request(const BenchmarkOptions& options, const Url& url, std::string_view method,
                         std::string_view path, std::string_view request_id, std::string_view body);

// The endpoint of the options, or that of their API.
std::string endpoint_path(const BenchmarkOptions& options);

// Error: a header that cannot be sent.
Status check_headers(const BenchmarkOptions& options);

}  // namespace glm5::loadgen
