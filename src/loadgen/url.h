// Where the server is: the parts of a base URL.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace glm5::loadgen {

struct Url {
    std::string host;  // without the brackets of an IPv6 address
    std::string port = "80";
    std::string path;  // before the endpoint; without a slash at its end

    // For the Host header and for people.
    std::string authority() const;
};

// http://host[:port][/path]. Error: anything else; https is not spoken.
Result<Url> parse_url(std::string_view text);

}  // namespace glm5::loadgen
