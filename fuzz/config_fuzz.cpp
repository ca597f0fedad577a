// config: any JSON gives a Config or one line of error; the inventory of a Config has positive, bounded sizes.
#include "config/inventory.h"
#include "json/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace glm5;
    const auto value = json::parse({reinterpret_cast<const char*>(data), size});
    if (!value.ok()) return 0;
    std::vector<std::string> warnings;
    const auto config = config::Config::parse(*value, &*value, value->find("hf_quant_config"), warnings);
    GLM5_CHECK(warnings.size() < 100);
    if (!config.ok()) {
        GLM5_CHECK(!config.status().message().empty() && config.status().message().find('\n') == std::string::npos,
                   "{}", config.status().message());
        return 0;
    }
    for (int i = 0; i < config->num_layers; ++i)
        GLM5_CHECK(config->layer(config->layer(i).index_source).indexer == config::IndexerKind::full);
    // Listing the largest configs takes a second each.
    if (int64_t{config->num_layers} * config->num_experts > 1000) return 0;
    for (const config::Parameter& parameter : config::parameters(*config))
        for (const config::ExpectedTensor& tensor :
             config::expected_tensors(parameter, config::published_form(parameter, config->quantization)))
            GLM5_CHECK(tensor.bytes() > 0 && tensor.bytes() < int64_t{1} << 50, "{}", tensor.name);
    return 0;
}
