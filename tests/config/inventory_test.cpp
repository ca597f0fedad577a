// The tensor inventory against the totals of the published checkpoints and a listing made by another program.
#include "config/inventory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "config_files.h"

namespace glm5::config {
namespace {

std::string line_of(const ExpectedTensor& tensor) {
    return fmt::format("{} {} [{}]\n", tensor.name, dtype_name(tensor.published), fmt::join(tensor.shape, ","));
}

uint64_t fnv1a(const std::vector<std::string>& lines) {
    uint64_t hash = 0xcbf29ce484222325;
    for (const std::string& line : lines)
        for (unsigned char byte : line) hash = (hash ^ byte) * 0x100000001b3;
    return hash;
}

TEST(Inventory, EqualsThePublishedCheckpoints) {
    const json::Value expected = read_config_file("tensor_inventory");
    const std::pair<const char*, Quantization> forms[] = {
        {"bf16", Quantization::none}, {"fp8", Quantization::fp8}, {"nvfp4", Quantization::nvfp4}};
    const std::pair<const char*, const char*> layouts[] = {{"all", "glm-5_config"}, {"shared", "glm-5.2_config"}};
    for (const auto& [layout, file] : layouts) {
        const auto config = parse_config(read_config_file(file));
        ASSERT_TRUE(config.ok()) << config.status().message();
        const auto all = parameters(*config);
        for (const auto& [form, quantization] : forms) {
            std::vector<std::string> lines;
            int64_t bytes = 0;
            for (const Parameter& parameter : all) {
                for (const ExpectedTensor& tensor :
                     expected_tensors(parameter, published_form(parameter, quantization))) {
                    lines.push_back(line_of(tensor));
                    bytes += tensor.bytes();
                    EXPECT_NE(std::ranges::find(tensor.accepted, tensor.published), tensor.accepted.end());
                }
            }
            std::sort(lines.begin(), lines.end());
            const json::Value* totals = expected.find(fmt::format("{} {}", form, layout));
            ASSERT_NE(totals, nullptr);
            EXPECT_EQ(static_cast<int64_t>(lines.size()), totals->find("tensors")->to_int64()) << form << layout;
            EXPECT_EQ(bytes, totals->find("bytes")->to_int64()) << form << layout;
            EXPECT_EQ(fmt::format("{:016x}", fnv1a(lines)), totals->find("fnv1a")->as_string()) << form << layout;
        }
    }
}

TEST(Inventory, EqualsTheIndexOfNano) {
    const auto config = parse_config(read_json("models/glm5-nano/config.json"));
    ASSERT_TRUE(config.ok()) << config.status().message();
    std::set<std::string> listed, expected;
    const json::Value index = read_json("models/glm5-nano/model.safetensors.index.json");
    for (const auto& [name, shard] : index.find("weight_map")->as_object()) listed.insert(name);
    for (const Parameter& parameter : parameters(*config))
        for (const ExpectedTensor& tensor :
             expected_tensors(parameter, published_form(parameter, config->quantization)))
            expected.insert(tensor.name);
    EXPECT_EQ(listed, expected);
}

TEST(Inventory, FlagsTheMtpLayer) {
    const auto config = parse_config(read_config_file("glm-5.2_config"));
    ASSERT_TRUE(config.ok());
    int mtp = 0;
    for (const Parameter& parameter : parameters(*config)) {
        EXPECT_EQ(parameter.mtp, parameter.name.starts_with("model.layers.78.")) << parameter.name;
        mtp += parameter.mtp;
    }
    EXPECT_EQ(mtp, 791);
}

}  // namespace
}  // namespace glm5::config
