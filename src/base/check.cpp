#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace glm5 {

void check_failed(const char* file, int line, const char* condition, const std::string& details) {
    fmt::print(stderr, "{}:{}: check failed: {}{}{}\n", file, line, condition, details.empty() ? "" : ": ", details);
    std::fflush(stderr);
    std::abort();
}

}  // namespace glm5
