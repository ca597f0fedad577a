// The base of the rotary embedding. Scaled variants are refused: they would give wrong text without an error.
#include "config/sections.h"

namespace glm5::config {
namespace {

constexpr double kMaxTheta = 1e12;

// An object {rope_theta, rope_type "default"} under `key`. Any other key in it changes positions, so it is refused.
void read_rope_object(KeyReader& keys, std::string_view key, const json::Value& value, double& theta) {
    KeyReader rope(fmt::format("{}: {}", keys.place(), key), value);
    rope.must_be("rope_type", {"default"});
    rope.must_be("type", {"default"});
    if (rope.find("rope_theta")) rope.read_positive("rope_theta", theta, kMaxTheta);
    if (value.is_object())
        for (const auto& [name, member] : value.as_object())
            if (name != "rope_type" && name != "type" && name != "rope_theta" && !member.is_null())
                rope.fail_unsupported(name, member, "no such key (rope_type \"default\" without factors)");
    keys.fail(rope.status());
}

}  // namespace

void read_rope(KeyReader& keys, Config& config) {
    double theta = 0, nested_theta = 0;
    if (keys.find("rope_theta")) keys.read_positive("rope_theta", theta, kMaxTheta);
    for (const char* key : {"rope_parameters", "rope_scaling"})
        if (const json::Value* value = keys.find(key)) read_rope_object(keys, key, *value, nested_theta);
    if (!keys.ok()) return;
    if (theta == 0 && nested_theta == 0)
        return keys.fail_missing("rope_parameters.rope_theta", "the base of the rotary embedding");
    if (theta != 0 && nested_theta != 0 && theta != nested_theta)
        return keys.fail(invalid_argument("{}: rope_theta: {} differs from rope_parameters.rope_theta {}", keys.place(),
                                          theta, nested_theta));
    config.rope_theta = nested_theta != 0 ? nested_theta : theta;
}

}  // namespace glm5::config
