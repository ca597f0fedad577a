// Parsing of base URLs. Nothing in one may break the request line.
#include "loadgen/url.h"

#include <algorithm>
#include <charconv>

namespace glm5::loadgen {
namespace {

bool is_port(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value >= 1 && value <= 65535;
}

}  // namespace

std::string Url::authority() const {
    const bool is_ipv6 = host.find(':') != std::string::npos;
    return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<Url> parse_url(std::string_view text) {
    const auto wrong = [&](std::string_view expected) { return invalid_argument("--base-url {}: {}", text, expected); };
    if (text.starts_with("https://"))
        return wrong("this client speaks plain HTTP; name the server behind the proxy, or put a local proxy before it");
    if (!text.starts_with("http://")) return wrong("must be http://HOST[:PORT][/PATH]");
    if (std::ranges::any_of(text, [](unsigned char c) { return c <= ' ' || c == 0x7f || c == '#' || c == '?'; }))
        return wrong("must not have spaces, a query or a fragment");
    std::string_view rest = text.substr(7);
    Url url;
    const size_t slash = std::min(rest.find('/'), rest.size());
    url.path = rest.substr(slash);
    while (url.path.ends_with('/')) url.path.pop_back();
    std::string_view authority = rest.substr(0, slash);
    if (authority.find('@') != std::string_view::npos) return wrong("must not have a user; see --header");
    if (authority.starts_with('[')) {
        const size_t bracket = authority.find(']');
        if (bracket == std::string_view::npos) return wrong("the bracket of the address is not closed");
        url.host = authority.substr(1, bracket - 1);
        authority.remove_prefix(bracket + 1);
    } else {
        const size_t colon = std::min(authority.find(':'), authority.size());
        url.host = authority.substr(0, colon);
        authority.remove_prefix(colon);
    }
    if (url.host.empty()) return wrong("the host is missing");
    if (!authority.empty()) {
        if (authority[0] != ':' || !is_port(authority.substr(1))) return wrong("the port must be 1 to 65535");
        url.port = authority.substr(1);
    }
    return url;
}

}  // namespace glm5::loadgen
