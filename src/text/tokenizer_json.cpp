// The fields of tokenizer.json, in the order in which the file has them.
#include "text/tokenizer_json.h"

#include <algorithm>
#include <numeric>

#include "json/parse.h"
#include "text/json_fields.h"

namespace glm5::text {
namespace {

constexpr size_t kMaxNameBytes = 1 << 16;
constexpr size_t kMaxAddedTokenBytes = 1024;
constexpr int kMaxDepth = 16;

// pre_tokenizer: a Sequence of the Split by the regular expression, every match isolated, and the byte mapping.
Result<std::string> read_pre_tokenizer(const json::Value* value) {
    GLM5_ASSIGN_OR_RETURN(const Fields sequence, Fields::of(value, "pre_tokenizer", {"type", "pretokenizers"}));
    GLM5_RETURN_IF_ERROR(sequence.require_string("type", "Sequence"));
    GLM5_ASSIGN_OR_RETURN(const json::Array* steps, sequence.array("pretokenizers"));
    if (steps->size() != 2) {
        return unsupported("pre_tokenizer.pretokenizers: expected a Split and a ByteLevel, found {} items",
                           steps->size());
    }
    GLM5_ASSIGN_OR_RETURN(const Fields split, Fields::of(&(*steps)[0], "pre_tokenizer.pretokenizers[0]",
                                                         {"type", "pattern", "behavior", "invert"}));
    GLM5_RETURN_IF_ERROR(split.require_string("type", "Split"));
    GLM5_RETURN_IF_ERROR(split.require_string("behavior", "Isolated"));
    GLM5_RETURN_IF_ERROR(split.require_flag("invert", false, false));
    GLM5_ASSIGN_OR_RETURN(const Fields pattern, Fields::of(split.find("pattern"), split.path_of("pattern"), {"Regex"}));
    GLM5_ASSIGN_OR_RETURN(std::string regex, pattern.string("Regex"));

    GLM5_ASSIGN_OR_RETURN(const Fields bytes, Fields::of(&(*steps)[1], "pre_tokenizer.pretokenizers[1]",
                                                         {"type", "add_prefix_space", "trim_offsets", "use_regex"}));
    GLM5_RETURN_IF_ERROR(bytes.require_string("type", "ByteLevel"));
    GLM5_RETURN_IF_ERROR(bytes.require_flag("add_prefix_space", false, true));
    GLM5_RETURN_IF_ERROR(bytes.require_flag("use_regex", false, true));
    return regex;
}

// post_processor and decoder: ByteLevel, whose flags have no effect on ids and text.
Status check_byte_level(const Fields& root, std::string_view key) {
    GLM5_ASSIGN_OR_RETURN(const Fields fields, Fields::of(root.find(key), std::string(key),
                                                          {"type", "add_prefix_space", "trim_offsets", "use_regex"}));
    return fields.require_string("type", "ByteLevel");
}

// model.vocab: name → id, the ids 0 … n-1 in any order.
Result<TokenTable> read_vocab(const json::Value* value) {
    if (value == nullptr || !value->is_object()) return unexpected("model.vocab", "an object", value);
    const json::Object& vocab = value->as_object();
    if (vocab.size() > static_cast<size_t>(Bpe::kMaxTokens)) {
        return unsupported("model.vocab: at most {} entries are supported, found {}", Bpe::kMaxTokens, vocab.size());
    }
    std::vector<const std::string*> names(vocab.size());
    for (const auto& [name, id] : vocab) {
        if (name.empty() || name.size() > kMaxNameBytes) {
            return unsupported("model.vocab: expected keys of 1 to {} bytes, found one of {}", kMaxNameBytes,
                               name.size());
        }
        const auto place = id.to_int64();
        if (!place || *place < 0 || *place >= static_cast<int64_t>(names.size())) {
            const std::string path = fmt::format("model.vocab[{}]", quoted(name));
            return unexpected(path, fmt::format("an id from 0 to {}", names.size() - 1), &id);
        }
        if (names[*place] != nullptr) {
            return invalid_argument("model.vocab: id {} is given twice, to {} and {}", *place, quoted(*names[*place]),
                                    quoted(name));
        }
        names[*place] = &name;
    }
    TokenTable table;
    for (const std::string* name : names) {
        table.append(*name);
        table.index(table.size() - 1);
    }
    return table;
}

// One of model.merges: ["a", "b"], or "a b" in older files.
Result<Bpe::Merge> read_merge(const json::Value& value, size_t rank, const TokenTable& vocab) {
    const auto path = [&] { return fmt::format("model.merges[{}]", rank); };
    std::string_view left, right;
    if (value.is_string()) {
        const std::string_view text = value.as_string();
        const size_t space = text.find(' ');
        if (space == text.npos || text.find(' ', space + 1) != text.npos) {
            return unexpected(path(), "two entries of model.vocab with one space between them", &value);
        }
        left = text.substr(0, space);
        right = text.substr(space + 1);
    } else {
        if (!value.is_array()) return unexpected(path(), "a pair of strings", &value);
        const json::Array& pair = value.as_array();
        if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
            return unexpected(path(), "a pair of strings", &value);
        }
        left = pair[0].as_string();
        right = pair[1].as_string();
    }
    std::string merged;
    merged.append(left).append(right);
    const Bpe::Merge merge{vocab.find(left), vocab.find(right), vocab.find(merged)};
    for (const auto& [id, name] :
         {std::pair(merge.left, left), {merge.right, right}, {merge.merged, std::string_view(merged)}}) {
        if (id < 0) return invalid_argument("{}: {} is not in model.vocab", path(), quoted(name));
    }
    return merge;
}

Status read_model(const json::Value* value, TokenizerFile& file) {
    GLM5_ASSIGN_OR_RETURN(const Fields model,
                          Fields::of(value, "model",
                                     {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                                      "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"}));
    GLM5_RETURN_IF_ERROR(model.require_string("type", "BPE"));
    GLM5_RETURN_IF_ERROR(model.require_null("dropout"));
    GLM5_RETURN_IF_ERROR(model.require_null("unk_token"));
    GLM5_RETURN_IF_ERROR(model.require_null_or_empty("continuing_subword_prefix"));
    GLM5_RETURN_IF_ERROR(model.require_null_or_empty("end_of_word_suffix"));
    GLM5_RETURN_IF_ERROR(model.require_flag("byte_fallback", false, false));
    GLM5_ASSIGN_OR_RETURN(file.ignore_merges, model.flag("ignore_merges", false));
    GLM5_ASSIGN_OR_RETURN(file.vocab, read_vocab(model.find("vocab")));
    GLM5_ASSIGN_OR_RETURN(const json::Array* merges, model.array("merges"));
    if (merges->size() > Bpe::kMaxMerges) {
        return unsupported("model.merges: at most {} are supported, found {}", Bpe::kMaxMerges, merges->size());
    }
    file.merges.reserve(merges->size());
    for (const json::Value& merge : *merges) {
        GLM5_ASSIGN_OR_RETURN(const Bpe::Merge ids, read_merge(merge, file.merges.size(), file.vocab));
        file.merges.push_back(ids);
    }
    return {};
}

Result<TokenizerFile::AddedToken> read_added_token(const json::Value& value, size_t place) {
    const std::string path = fmt::format("added_tokens[{}]", place);
    GLM5_ASSIGN_OR_RETURN(
        const Fields token,
        Fields::of(&value, path, {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"}));
    for (const char* key : {"single_word", "lstrip", "rstrip"}) {
        GLM5_RETURN_IF_ERROR(token.require_flag(key, false, false));
    }
    // A normalised token is found only in what the others have left.
    GLM5_RETURN_IF_ERROR(token.require_flag("normalized", false, true));
    GLM5_ASSIGN_OR_RETURN(const int64_t id, token.integer("id", 0, Bpe::kMaxTokens - 1));
    GLM5_ASSIGN_OR_RETURN(std::string content, token.string("content"));
    GLM5_ASSIGN_OR_RETURN(const bool special, token.flag("special", false));
    if (content.empty() || content.size() > kMaxAddedTokenBytes) {
        return unsupported("{}.content: expected 1 to {} bytes, found {}", path, kMaxAddedTokenBytes, content.size());
    }
    return TokenizerFile::AddedToken{static_cast<int32_t>(id), std::move(content), special};
}

// Either an entry of the vocabulary under its own id, or the next free ids in any order.
Status read_added_tokens(const Fields& root, TokenizerFile& file) {
    if (root.find("added_tokens") == nullptr) return {};
    GLM5_ASSIGN_OR_RETURN(const json::Array* tokens, root.array("added_tokens"));
    for (const json::Value& value : *tokens) {
        GLM5_ASSIGN_OR_RETURN(TokenizerFile::AddedToken token, read_added_token(value, file.added_tokens.size()));
        file.added_tokens.push_back(std::move(token));
    }
    std::stable_sort(file.added_tokens.begin(), file.added_tokens.end(),
                     [](const auto& a, const auto& b) { return a.id < b.id; });
    TokenTable contents;
    int32_t next_id = file.vocab.size();
    for (const auto& [id, content, special] : file.added_tokens) {
        if (contents.find(content) >= 0) return invalid_argument("added_tokens: {} is there twice", quoted(content));
        contents.append(content);
        contents.index(contents.size() - 1);
        const int32_t entry = file.vocab.find(content);
        const int32_t expected = entry >= 0 ? entry : next_id++;
        if (id != expected) {
            return invalid_argument("added_tokens: expected id {} for {}, found {}", expected, quoted(content), id);
        }
    }
    return {};
}

}  // namespace

Result<TokenizerFile> parse_tokenizer_json(std::string_view text) {
    if (text.size() > kMaxTokenizerJsonBytes) {
        return unsupported("at most {} bytes are supported, found {}", kMaxTokenizerJsonBytes, text.size());
    }
    GLM5_ASSIGN_OR_RETURN(const json::Value document, json::parse(text, {.max_depth = kMaxDepth}));
    GLM5_ASSIGN_OR_RETURN(const Fields root,
                          Fields::of(&document, "",
                                     {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                                      "post_processor", "decoder", "model"}));
    GLM5_RETURN_IF_ERROR(root.require_string("version", "1.0"));
    GLM5_RETURN_IF_ERROR(root.require_null("truncation"));
    GLM5_RETURN_IF_ERROR(root.require_null("padding"));
    GLM5_RETURN_IF_ERROR(root.require_null("normalizer"));
    TokenizerFile file;
    GLM5_ASSIGN_OR_RETURN(file.split_pattern, read_pre_tokenizer(root.find("pre_tokenizer")));
    if (!root.require_null("post_processor").ok()) GLM5_RETURN_IF_ERROR(check_byte_level(root, "post_processor"));
    GLM5_RETURN_IF_ERROR(check_byte_level(root, "decoder"));
    GLM5_RETURN_IF_ERROR(read_model(root.find("model"), file));
    GLM5_RETURN_IF_ERROR(read_added_tokens(root, file));
    return file;
}

}  // namespace glm5::text
