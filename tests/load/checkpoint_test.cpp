// Opening and verifying directories: the bundled checkpoint, the small ones with something wrong, a listing alone.
#include "load/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "checkpoint_files.h"

namespace glm5::load {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kFixtures = GLM5_SOURCE_DIR "/tests/fixtures";

std::string bf16_zeros(int64_t count) {
    return std::string(static_cast<size_t>(2 * count), '\0');
}

// The error of opening and verifying a directory, without the directory's name.
std::string error_of(const TemporaryDirectory& directory, std::vector<std::string>* warnings = nullptr) {
    auto checkpoint = Checkpoint::open(directory.path());
    Status status = checkpoint.ok() ? (*checkpoint)->verify() : checkpoint.status();
    if (warnings && checkpoint.ok()) *warnings = (*checkpoint)->warnings();
    if (status.ok()) return "no error";
    std::string message = status.message();
    EXPECT_TRUE(message.starts_with(directory.path().string())) << message;
    message.erase(0, directory.path().string().size());
    return message;
}

// tiny-indexshare with its tensors changed, as one file.
std::string error_with(const std::function<void(TestTensors&)>& change, std::vector<std::string>* warnings = nullptr) {
    static const TestTensors tensors = read_tensors(kFixtures + "/tiny-indexshare/model.safetensors");
    TestTensors changed = tensors;
    change(changed);
    const TemporaryDirectory directory;
    directory.write("config.json", read_file(kFixtures + "/tiny-indexshare/config.json"));
    directory.write("model.safetensors", safetensors_bytes(changed));
    return error_of(directory, warnings);
}

// tiny-random's tensors in shards of which the index lists the first ones.
struct Sharded {
    TestTensors first, second;
    Sharded() {
        for (auto& [name, tensor] : read_tensors(kFixtures + "/tiny-random/model.safetensors"))
            (name.find("layers.3.") == name.npos ? first : second)[name] = std::move(tensor);
    }
    static json::Object map_of(const TestTensors& tensors, const std::string& file) {
        json::Object map;
        for (const auto& [name, tensor] : tensors) map.append(name, file);
        return map;
    }
    static std::string index_of(json::Object map) {
        return json::write(
            json::Value::object({{"metadata", json::Value(json::Object())}, {"weight_map", std::move(map)}}));
    }
    json::Object map() const {
        json::Object all = map_of(first, "model-1.safetensors");
        for (const auto& [name, tensor] : second) all.append(name, "model-2.safetensors");
        return all;
    }
    void write(const TemporaryDirectory& directory) const {
        directory.write("config.json", read_file(kFixtures + "/tiny-random/config.json"));
        directory.write("model-1.safetensors", safetensors_bytes(first));
        directory.write("model-2.safetensors", safetensors_bytes(second));
        directory.write("model.safetensors.index.json", index_of(map()));
    }
};

TEST(Checkpoint, NanoOpensVerifiesAndReads) {
    auto opened = Checkpoint::open(GLM5_SOURCE_DIR "/models/glm5-nano");
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    Checkpoint& checkpoint = **opened;
    const Status status = checkpoint.verify();
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_THAT(checkpoint.warnings(), IsEmpty());
    EXPECT_TRUE(checkpoint.has_mtp());
    EXPECT_EQ(checkpoint.shards().size(), 2u);
    const auto index = json::parse(read_file(GLM5_SOURCE_DIR "/models/glm5-nano/model.safetensors.index.json"));
    EXPECT_EQ(checkpoint.tensors().size(), index->find("weight_map")->as_object().size());
    uint64_t bytes = 0;
    for (const TensorInfo& tensor : checkpoint.tensors()) bytes += tensor.num_bytes;
    EXPECT_EQ(static_cast<int64_t>(bytes), index->find("metadata")->find("total_size")->to_int64());

    // Every byte of a tensor, also in pieces.
    const TensorInfo* tensor = checkpoint.find("model.layers.0.self_attn.q_a_proj.weight");
    ASSERT_NE(tensor, nullptr);
    std::vector<std::byte> whole(tensor->num_bytes), pieces(tensor->num_bytes);
    ASSERT_TRUE(checkpoint.read(*tensor, 0, whole).ok());
    for (size_t at = 0; at < pieces.size(); at += 1000) {
        const size_t count = std::min<size_t>(1000, pieces.size() - at);
        ASSERT_TRUE(checkpoint.read(*tensor, at, std::span(pieces).subspan(at, count)).ok());
    }
    EXPECT_EQ(whole, pieces);
    const std::string expected = [&] {
        for (const File& file : checkpoint.shards()) {
            const TestTensors tensors = read_tensors(file.path());
            if (tensors.contains(tensor->name)) return tensors.at(tensor->name).bytes;
        }
        return std::string();
    }();
    EXPECT_EQ(expected, std::string(reinterpret_cast<const char*>(whole.data()), whole.size()));
}

TEST(Checkpoint, TinyFixturesVerify) {
    for (const char* name : {"tiny-random", "tiny-indexshare"}) {
        const TemporaryDirectory directory;  // without golden.safetensors, which lies beside the fixtures
        directory.write("config.json", read_file(kFixtures + "/" + name + "/config.json"));
        directory.write("generation_config.json", read_file(kFixtures + "/" + name + "/generation_config.json"));
        directory.write("model.safetensors", read_file(kFixtures + "/" + name + "/model.safetensors"));
        std::vector<std::string> warnings;
        EXPECT_EQ(error_of(directory, &warnings), "no error") << name;
    }
}

TEST(Checkpoint, MissingAndWrongTensors) {
    EXPECT_EQ(error_with([](TestTensors& t) { t.erase("model.norm.weight"); }),
              ": 1 tensors are missing: \"model.norm.weight\"");
    EXPECT_EQ(error_with([](TestTensors& t) {
                  std::erase_if(t, [](auto& each) { return each.first.find("layers.5.mlp") != std::string::npos; });
              }),
              ": 29 tensors are missing: \"model.layers.5.mlp.gate.weight\", "
              "\"model.layers.5.mlp.gate.e_score_correction_bias\", "
              "\"model.layers.5.mlp.experts.0.gate_proj.weight\", \"model.layers.5.mlp.experts.0.up_proj.weight\", "
              "\"model.layers.5.mlp.experts.0.down_proj.weight\" and 24 more");
    EXPECT_EQ(error_with([](TestTensors& t) {
                  t["model.norm.weight"] = {DType::u8, {96}, std::string(96, '\0')};
              }),
              ": tensor \"model.norm.weight\": expected BF16, F32 or F16, found U8");
    EXPECT_EQ(error_with([](TestTensors& t) {
                  t["model.norm.weight"] = {DType::bf16, {97}, bf16_zeros(97)};
              }),
              ": tensor \"model.norm.weight\": expected shape [96], found [97]");
    EXPECT_EQ(error_with([](TestTensors& t) {
                  t["lm_head.weight"].shape = {96, 320};
              }),
              ": tensor \"lm_head.weight\": expected shape [320, 96], found [96, 320]");
    // A layer that config.json calls full has no indexer.
    EXPECT_THAT(error_with([](TestTensors& t) {
                    std::erase_if(t, [](auto& each) {
                        return each.first.find("layers.5.self_attn.indexer") != std::string::npos;
                    });
                }),
                HasSubstr(": 5 tensors are missing: \"model.layers.5.self_attn.indexer.wq_b.weight\""));
    EXPECT_EQ(error_with([](TestTensors& t) {
                  t["model.norm.weight"] = {DType::f32, {96}, std::string(384, '\0')};
              }),
              "no error");
}

TEST(Checkpoint, FactsDecideTheForm) {
    const std::string weight = "model.layers.2.self_attn.q_a_proj.weight";  // [40, 96]
    const auto make_fp8 = [&](TestTensors& t) {
        t[weight] = {DType::f8_e4m3, {40, 96}, std::string(40 * 96, '\x38')};
        t[weight + "_scale_inv"] = {DType::f32, {1, 1}, std::string(4, '\0')};
    };
    EXPECT_EQ(error_with(make_fp8), "no error");
    EXPECT_EQ(error_with([&](TestTensors& t) { make_fp8(t), t.erase(weight + "_scale_inv"); }),
              ": tensor \"" + weight + "\": expected BF16, F32 or F16, found F8_E4M3");
    EXPECT_EQ(error_with([&](TestTensors& t) {
                  t[weight + "_scale_inv"] = {DType::f32, {1, 1}, std::string(4, '\0')};
              }),
              ": tensor \"" + weight + "\": expected F8_E4M3, found BF16");
    EXPECT_EQ(error_with([&](TestTensors& t) {
                  make_fp8(t), t[weight + "_scale_inv"] = {DType::f32, {1}, std::string(4, '\0')};
              }),
              ": tensor \"" + weight + "_scale_inv\": expected shape [1, 1], found [1]");
    const auto make_fp4 = [&](TestTensors& t) {
        t[weight] = {DType::u8, {40, 48}, std::string(40 * 48, '\0')};
        t[weight + "_scale"] = {DType::f8_e4m3, {40, 6}, std::string(240, '\0')};
        t[weight + "_scale_2"] = {DType::f32, {}, std::string(4, '\0')};
        t["model.layers.2.self_attn.q_a_proj.input_scale"] = {DType::f32, {}, std::string(4, '\0')};
    };
    EXPECT_EQ(error_with(make_fp4), "no error");
    EXPECT_EQ(error_with([&](TestTensors& t) { make_fp4(t), t.erase(weight + "_scale"); }),
              ": 1 tensors are missing: \"" + weight + "_scale\"");
    // No quantised form exists for the router.
    EXPECT_EQ(error_with([&](TestTensors& t) {
                  t["model.layers.2.mlp.gate.weight"] = {DType::f8_e4m3, {8, 96}, std::string(768, '\0')};
              }),
              ": tensor \"model.layers.2.mlp.gate.weight\": expected BF16, F32 or F16, found F8_E4M3");
}

TEST(Checkpoint, WarnsOnceOfWhatItDoesNotLoad) {
    std::vector<std::string> warnings;
    EXPECT_EQ(error_with(
                  [](TestTensors& t) {
                      t["vision.patch"] = {DType::bf16, {1}, bf16_zeros(1)};
                      t["model.layers.7.embed_tokens.weight"] = {
                          DType::bf16, {1}, bf16_zeros(1)};  // a copy that the MTP layer may have
                      t["model.layers.3.self_attn.indexer.wk.weight"] = {DType::bf16, {1}, bf16_zeros(1)};
                      t["model.layers.6.self_attn.indexer.wk.weight"] = {DType::bf16, {1}, bf16_zeros(1)};
                  },
                  &warnings),
              "no error");
    EXPECT_THAT(
        warnings,
        ElementsAre("1 unknown tensors are not loaded: \"vision.patch\"",
                    "2 indexer tensors of layers that share an indexer by config.json are not loaded: "
                    "\"model.layers.3.self_attn.indexer.wk.weight\", \"model.layers.6.self_attn.indexer.wk.weight\""));
}

TEST(Checkpoint, ShardsByTheIndex) {
    const Sharded sharded;
    {
        const TemporaryDirectory directory;
        sharded.write(directory);
        directory.write("._model-1.safetensors", "resource fork");
        std::vector<std::string> warnings;
        EXPECT_EQ(error_of(directory, &warnings), "no error");
        EXPECT_THAT(warnings, IsEmpty());
        // A copy of tensors in a file that the index does not list is not read.
        directory.write("consolidated.safetensors", safetensors_bytes(sharded.second));
        EXPECT_EQ(error_of(directory, &warnings), "no error");
        EXPECT_THAT(warnings,
                    ElementsAre(fmt::format(
                        "\"consolidated.safetensors\": {} tensors are also in another file and are not read from here",
                        sharded.second.size())));
    }
    {
        const TemporaryDirectory directory;  // the second shard is there but not listed
        sharded.write(directory);
        directory.write("model.safetensors.index.json",
                        Sharded::index_of(Sharded::map_of(sharded.first, "model-1.safetensors")));
        EXPECT_EQ(error_of(directory), "no error");
    }
    {
        const TemporaryDirectory directory;
        sharded.write(directory);
        json::Object map = sharded.map();
        map.set("model.norm.weight", "model-2.safetensors");
        directory.write("model.safetensors.index.json", Sharded::index_of(map));
        EXPECT_EQ(error_of(directory),
                  "/model-2.safetensors: tensor \"model.norm.weight\" is not in it, but model.safetensors.index.json "
                  "says so");
    }
    {
        const TemporaryDirectory directory;
        sharded.write(directory);
        const auto path = directory.path() / "model-2.safetensors";
        std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
        EXPECT_THAT(error_of(directory),
                    testing::StartsWith("/model-2.safetensors: the file is truncated: tensor \"model.layers.3."));
        directory.write("model-2.safetensors", "");
        EXPECT_EQ(error_of(directory), "/model-2.safetensors: 0 bytes are no safetensors file");
        std::filesystem::remove(path);
        std::filesystem::create_symlink("../../blobs/absent", path);
        EXPECT_EQ(error_of(directory), ": 1 shards are missing (1 are there): \"model-2.safetensors\"");
    }
}

TEST(Checkpoint, RefusesHostileIndexes) {
    const Sharded sharded;
    const TemporaryDirectory directory;
    sharded.write(directory);
    const auto index_error = [&](const std::string& text) {
        directory.write("model.safetensors.index.json", text);
        std::string error = error_of(directory);
        const std::string prefix = "/model.safetensors.index.json: ";
        EXPECT_TRUE(error.starts_with(prefix)) << error;
        return error.substr(prefix.size());
    };
    for (const char* file : {"../x.safetensors", "/etc/x.safetensors", "a/../b.safetensors", "..", "", "model.bin",
                             ".x.safetensors", "a\\\\b.safetensors", "x\\u0000.safetensors"})
        EXPECT_THAT(index_error(fmt::format(R"({{"weight_map": {{"a": "{}"}}}})", file)),
                    testing::AllOf(testing::StartsWith("weight_map: tensor \"a\": \""),
                                   testing::EndsWith("\" is not the name of a .safetensors file in this directory")))
            << file;
    EXPECT_EQ(index_error(R"({"weight_map": {"a": 5}})"),
              "weight_map: tensor \"a\": expected a file name, found a JSON integer");
    EXPECT_EQ(index_error(R"({"weight_map": []})"), "weight_map: expected an object of tensor and file names");
    EXPECT_EQ(index_error(R"({"weight_map": {}})"), "weight_map: lists no tensors");
    EXPECT_EQ(index_error("5"), "weight_map: expected an object of tensor and file names");
    EXPECT_EQ(index_error("{"), "line 1, column 2: the text ends inside a value");
    EXPECT_EQ(index_error(R"({"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}})"),
              "line 1, column 59: the object that ends here has the key \"a\" twice");
}

TEST(Checkpoint, ConfigErrorsNameTheFile) {
    const TemporaryDirectory directory;
    EXPECT_EQ(error_of(directory), "/config.json: no such file");
    directory.write("config.json", "{\n\"a\": tru}");
    EXPECT_EQ(error_of(directory), "/config.json: line 2, column 6: syntax error");
    directory.write("config.json", "{\"a\": 1, \"a\": 2}");
    EXPECT_EQ(error_of(directory),
              "/config.json: line 1, column 16: the object that ends here has the key \"a\" twice");
    directory.write("config.json", read_file(kFixtures + "/configs/glm-5.3-flash_config.json"));
    EXPECT_THAT(
        error_of(directory),
        testing::StartsWith("/config.json: model_type \"glm5_next\" (GLM-5.3-Flash) is a different architecture"));
    directory.write("config.json", read_file(kFixtures + "/tiny-random/config.json"));
    EXPECT_EQ(error_of(directory), ": neither model.safetensors nor model.safetensors.index.json");
    directory.write("generation_config.json", "{\"top_p\": 2}");
    EXPECT_EQ(error_of(directory), "/generation_config.json: top_p: expected a number above 0, at most 1, found 2");
    EXPECT_EQ(Checkpoint::open(directory.path() / "absent").status().message(),
              (directory.path() / "absent").string() + ": no such directory");
}

// The listing of a published checkpoint, without its shards.
class Listing {
public:
    explicit Listing(const std::string& config_name) {
        directory_.write("config.json", read_file(kFixtures + "/configs/" + config_name + ".json"));
        std::vector<std::string> warnings;
        const auto config = config::Config::parse(
            *json::parse(read_file(kFixtures + "/configs/" + config_name + ".json")), nullptr, nullptr, warnings);
        for (const auto& parameter : config::parameters(*config))
            for (const auto& tensor :
                 config::expected_tensors(parameter, config::published_form(parameter, config->quantization)))
                names_.push_back(tensor.name);
    }

    Result<std::unique_ptr<Checkpoint>> open(const std::function<bool(const std::string&)>& keep) const {
        json::Object map;
        for (size_t i = 0; i < names_.size(); ++i)
            if (keep(names_[i]))
                map.append(names_[i], fmt::format("model-{:05}-of-00141.safetensors", i * 141 / names_.size() + 1));
        directory_.write("model.safetensors.index.json", Sharded::index_of(std::move(map)));
        return Checkpoint::open(directory_.path());
    }
    std::string directory() const { return directory_.path().string(); }

private:
    TemporaryDirectory directory_;
    std::vector<std::string> names_;
};

TEST(Checkpoint, ConfigAndIndexAlone) {
    const Listing listing("glm-5.2-fp8_config");
    auto checkpoint = listing.open([](const std::string&) { return true; });
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_TRUE((*checkpoint)->verify_listing().ok());
    EXPECT_TRUE((*checkpoint)->has_mtp());
    EXPECT_EQ((*checkpoint)->missing_shards().size(), 141u);
    EXPECT_THAT((*checkpoint)->warnings(), IsEmpty());
    EXPECT_EQ((*checkpoint)->verify().message(),
              listing.directory() +
                  ": 141 shards are missing (0 are there): \"model-00001-of-00141.safetensors\", "
                  "\"model-00002-of-00141.safetensors\", \"model-00003-of-00141.safetensors\", "
                  "\"model-00004-of-00141.safetensors\", "
                  "\"model-00005-of-00141.safetensors\" and 136 more");

    checkpoint =
        listing.open([](const std::string& name) { return name != "model.layers.70.mlp.experts.200.up_proj.weight"; });
    ASSERT_TRUE(checkpoint.ok());
    EXPECT_EQ((*checkpoint)->verify_listing().message(),
              listing.directory() + ": 1 tensors are missing: \"model.layers.70.mlp.experts.200.up_proj.weight\"");

    checkpoint = listing.open([](const std::string& name) { return !name.starts_with("model.layers.78."); });
    ASSERT_TRUE(checkpoint.ok());
    EXPECT_TRUE((*checkpoint)->verify_listing().ok());
    EXPECT_FALSE((*checkpoint)->has_mtp());
    EXPECT_THAT(
        (*checkpoint)->warnings(),
        ElementsAre("the checkpoint has no tensors of the MTP layer (model.layers.78.*): no speculative decoding"));

    checkpoint = listing.open([](const std::string& name) { return name != "model.layers.78.eh_proj.weight"; });
    ASSERT_TRUE(checkpoint.ok());
    EXPECT_EQ((*checkpoint)->verify_listing().message(),
              listing.directory() + ": 1 tensors are missing: \"model.layers.78.eh_proj.weight\"");
}

TEST(Checkpoint, Nvfp4ListingVerifies) {
    const Listing listing("glm-5.2-nvfp4_config");
    auto checkpoint = listing.open([](const std::string&) { return true; });
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_TRUE((*checkpoint)->verify_listing().ok());
    config::Parameter expert = {
        .name = "model.layers.3.mlp.experts.0.up_proj.weight", .shape = {2048, 6144}, .quantisable = true};
    EXPECT_EQ((*checkpoint)->stored_form(expert), config::StoredForm::nvfp4);
    expert.name = "model.layers.78.mlp.experts.0.up_proj.weight";
    EXPECT_EQ((*checkpoint)->stored_form(expert), config::StoredForm::plain);
}

}  // namespace
}  // namespace glm5::load
