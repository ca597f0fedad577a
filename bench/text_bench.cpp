// Tokenizer speed on one core: encode on prose with glm5-nano's tokenizer, on a tokenizer of GLM-5's size, and on one
// endless pre-token; splitting alone; decoding; loading.
//   build/release/text_bench
#include <benchmark/benchmark.h>

#include <fstream>
#include <random>
#include <sstream>

#include "json/parse.h"
#include "json/write.h"
#include "text/byte_alphabet.h"
#include "text/detokenizer.h"
#include "text/split.h"

namespace glm5::text {
namespace {

constexpr size_t kProseBytes = 6'000'000;

std::string read_source_file(const std::string& path) {
    std::ifstream stream(std::string(GLM5_SOURCE_DIR) + "/" + path, std::ios::binary);
    std::ostringstream content;
    content << stream.rdbuf();
    GLM5_CHECK(!content.str().empty(), "{}", path);
    return content.str();
}

const Tokenizer& nano() {
    static const Tokenizer tokenizer =
        Tokenizer::from_json(read_source_file("models/glm5-nano/tokenizer.json")).value();
    return tokenizer;
}

// The prompts of the golden values (package descriptions, a dictionary), repeated; in each round one word of eight is
// replaced by a word that was never there, so that no cache can hold the whole.
const std::string& prose() {
    static const std::string text = [] {
        const json::Value golden = json::parse(read_source_file("tests/fixtures/nano/nano-fp8.json")).value();
        std::string source;
        for (const json::Value& row : golden.as_array()) {
            std::vector<int32_t> ids;
            for (const json::Value& id : row.find("prompt_ids")->as_array())
                ids.push_back(static_cast<int32_t>(*id.to_int64()));
            source += nano().decode(ids, true);
        }
        std::mt19937 random(5);
        std::string out;
        while (out.size() < kProseBytes) {
            for (size_t start = 0, end; start < source.size(); start = end) {
                end = std::min(source.find(' ', start + 1), source.size());
                out.append(source, start, end - start);
                if (random() % 8 == 0) {
                    out.push_back(' ');
                    for (unsigned i = 0, length = 3 + random() % 8; i < length; ++i)
                        out.push_back("etaoinshrdlucmfw"[random() % 16]);
                }
            }
        }
        return out;
    }();
    return text;
}

// A tokenizer.json of GLM-5's size: 154,820 entries, 321,649 merges. Entries are grown by joining two earlier ones;
// every further merge is another cut of an entry into two.
const std::string& full_size_json() {
    static const std::string text = [] {
        constexpr size_t kNumEntries = 154'820, kNumMerges = 321'649;
        std::mt19937 random(7);
        json::Value document = json::parse(read_source_file("models/glm5-nano/tokenizer.json")).value();
        json::Object& model = document.as_object().find("model")->as_object();
        std::vector<std::string> names;
        TokenTable table;
        const auto add = [&](std::string name) {
            table.append(name);
            table.index(table.size() - 1);
            names.push_back(std::move(name));
        };
        for (const auto& [name, id] : model.find("vocab")->as_object()) add(name);
        json::Array merges = model.find("merges")->as_array();
        while (names.size() < kNumEntries) {
            const std::string left = names[random() % names.size()], right = names[random() % 2000];
            if (left.size() + right.size() > 24 || table.find(left + right) >= 0 || right.starts_with("Ġ")) continue;
            add(left + right);
            merges.push_back(json::Value::array({left, right}));
        }
        for (size_t i = 0; merges.size() < kNumMerges; i = (i + 1) % names.size()) {
            const std::string& name = names[i];
            const size_t cut = 1 + random() % name.size();
            const std::string left = name.substr(0, cut), right = name.substr(cut);
            if (table.find(left) >= 0 && table.find(right) >= 0) merges.push_back(json::Value::array({left, right}));
        }
        json::Object vocab;
        for (size_t id = 0; id < names.size(); ++id) vocab.append(names[id], json::Value(static_cast<int64_t>(id)));
        int64_t next_id = static_cast<int64_t>(names.size());
        for (json::Value& token : document.as_object().find("added_tokens")->as_array())
            token.as_object().set("id", next_id++);
        model.set("vocab", std::move(vocab));
        model.set("merges", std::move(merges));
        return json::write(document);
    }();
    return text;
}

void encode(benchmark::State& state, const Tokenizer& tokenizer, std::string_view text) {
    size_t num_tokens = 0;
    for (auto _ : state) {
        num_tokens = tokenizer.encode(text).size();
        benchmark::DoNotOptimize(num_tokens);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
    state.counters["bytes_per_token"] = static_cast<double>(text.size()) / static_cast<double>(num_tokens);
}

void encode_prose(benchmark::State& state) {
    encode(state, nano(), prose());
}
void encode_prompt_of_4_kb(benchmark::State& state) {
    encode(state, nano(), std::string_view(prose()).substr(0, 4096));
}
void encode_endless_word_of_1_mb(benchmark::State& state) {
    encode(state, nano(), std::string(1'000'000, 'e'));
}

void encode_prose_full_size(benchmark::State& state) {
    static const Tokenizer tokenizer = Tokenizer::from_json(full_size_json()).value();
    encode(state, tokenizer, prose());
}

void split_prose(benchmark::State& state) {
    std::vector<uint32_t> ends;
    for (auto _ : state) {
        ends.clear();
        split_glm(prose(), ends);
        benchmark::DoNotOptimize(ends.data());
    }
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(prose().size()));
}

void detokenize(benchmark::State& state) {
    const std::vector<int32_t> ids = nano().encode(prose());
    for (auto _ : state) {
        Detokenizer detokenizer(nano(), true);
        for (const int32_t id : ids) benchmark::DoNotOptimize(detokenizer.push(id));
    }
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(ids.size()));
}

void load_nano(benchmark::State& state) {
    const std::string text = read_source_file("models/glm5-nano/tokenizer.json");
    for (auto _ : state) benchmark::DoNotOptimize(Tokenizer::from_json(text).ok());
}

void load_full_size(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(Tokenizer::from_json(full_size_json()).ok());
    state.counters["file_bytes"] = static_cast<double>(full_size_json().size());
}

BENCHMARK(encode_prose)->Unit(benchmark::kMillisecond);
BENCHMARK(encode_prompt_of_4_kb)->Unit(benchmark::kMicrosecond);
BENCHMARK(encode_prose_full_size)->Unit(benchmark::kMillisecond);
BENCHMARK(encode_endless_word_of_1_mb)->Unit(benchmark::kMillisecond);
BENCHMARK(split_prose)->Unit(benchmark::kMillisecond);
BENCHMARK(detokenize)->Unit(benchmark::kMillisecond);
BENCHMARK(load_nano)->Unit(benchmark::kMillisecond);
BENCHMARK(load_full_size)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace glm5::text

BENCHMARK_MAIN();
