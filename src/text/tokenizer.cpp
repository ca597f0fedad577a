// Building the tables from tokenizer.json, and encoding and decoding with them.
#include "text/tokenizer.h"

#include <fstream>

#include "text/byte_alphabet.h"
#include "text/detokenizer.h"
#include "text/tokenizer_json.h"
#include "text/utf8.h"

namespace glm5::text {
namespace {

// The tokens of the single bytes. All must exist: without one, text with that byte could not be encoded.
Result<std::array<int32_t, 256>> find_byte_ids(const TokenTable& vocab) {
    std::array<int32_t, 256> ids{};
    for (int byte = 0; byte < 256; ++byte) {
        std::string name;
        append_utf8(name, byte_to_char(static_cast<unsigned char>(byte)));
        ids[byte] = vocab.find(name);
        if (ids[byte] < 0)
            return invalid_argument("model.vocab: expected an entry \"{}\" for byte 0x{:02X}", name, byte);
    }
    return ids;
}

Result<std::string> read_file(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) return not_found("cannot be opened");
    std::string content;
    std::vector<char> chunk(1 << 20);
    while (stream && content.size() <= kMaxTokenizerJsonBytes) {
        stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
        content.append(chunk.data(), static_cast<size_t>(stream.gcount()));
    }
    if (stream.bad()) return io_error("cannot be read");
    return content;
}

}  // namespace

// The buffers of one encode.
struct Tokenizer::Scratch {
    std::vector<uint32_t> ends;
    BpeScratch bpe;
};

Result<Tokenizer> Tokenizer::load(const std::string& path) {
    const Result<std::string> content = read_file(path);
    if (!content.ok()) return content.status().with_context(path);
    Result<Tokenizer> tokenizer = from_json(*content);
    if (!tokenizer.ok()) return tokenizer.status().with_context(path);
    return tokenizer;
}

Result<Tokenizer> Tokenizer::from_json(std::string_view tokenizer_json) {
    GLM5_ASSIGN_OR_RETURN(TokenizerFile file, parse_tokenizer_json(tokenizer_json));
    GLM5_ASSIGN_OR_RETURN(const auto byte_ids, find_byte_ids(file.vocab));
    Result<Splitter> splitter = Splitter::from_pattern(file.split_pattern);
    if (!splitter.ok()) return splitter.status().with_context("pre_tokenizer.pretokenizers[0].pattern.Regex");
    return Tokenizer(std::move(file), std::move(splitter).value(), byte_ids);
}

Tokenizer::Tokenizer(TokenizerFile file, Splitter splitter, const std::array<int32_t, 256>& byte_ids)
    : vocabulary_size_(file.vocab.size()),
      names_(std::move(file.vocab)),
      splitter_(std::move(splitter)),
      bpe_(byte_ids, file.merges) {
    const int32_t num_entries = vocabulary_size_;
    for (const auto& [id, content, special] : file.added_tokens) {
        if (id >= num_entries) {
            names_.append(content);
            names_.index(id);
        }
        added_tokens_.add(content, id);
    }
    special_.resize(static_cast<size_t>(names_.size()));
    for (const auto& token : file.added_tokens) special_[token.id] = token.special;

    BpeScratch scratch;
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < names_.size(); ++id) {
        // A name outside the byte alphabet stands for its own UTF-8, and no text is ever encoded to it.
        const std::optional<std::string> bytes = name_to_bytes(names_[id]);
        bytes_.append(bytes ? *bytes : names_[id]);
        if (!bytes || id >= num_entries) continue;
        ids.clear();
        if (!file.ignore_merges) bpe_.encode_piece(*bytes, scratch, ids);
        if (file.ignore_merges || ids == std::vector<int32_t>{id}) bytes_.index(id);
    }
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
    GLM5_CHECK(text.size() <= kMaxTextBytes, "{} bytes", text.size());
    std::string repaired;
    if (!is_valid_utf8(text)) {
        repaired = replace_invalid_utf8(text);
        text = repaired;
    }
    std::vector<int32_t> out;
    out.reserve(text.size() / 4 + 8);
    Scratch scratch;
    for (size_t offset = 0; offset < text.size();) {
        const AddedTokens::Match match =
            options.added_tokens ? added_tokens_.find(text, offset) : AddedTokens::Match{text.size(), text.size(), -1};
        encode_plain(text.substr(offset, match.start - offset), scratch, out);
        if (match.id >= 0) out.push_back(match.id);
        offset = match.end;
    }
    return out;
}

// Text without added tokens, valid UTF-8.
void Tokenizer::encode_plain(std::string_view text, Scratch& scratch, std::vector<int32_t>& out) const {
    scratch.ends.clear();
    splitter_.split(text, scratch.ends);
    uint32_t start = 0;
    for (const uint32_t end : scratch.ends) {
        const std::string_view piece = text.substr(start, end - start);
        start = end;
        const int32_t whole = bytes_.find(piece);
        if (whole >= 0) {
            out.push_back(whole);
        } else {
            bpe_.encode_piece(piece, scratch.bpe, out);
        }
    }
}

std::string Tokenizer::decode(std::span<const int32_t> tokens, bool skip_special_tokens) const {
    std::string out;
    Detokenizer detokenizer(*this, skip_special_tokens);
    for (const int32_t token : tokens) detokenizer.push(out, token);
    detokenizer.finish(out);
    return out;
}

}  // namespace glm5::text
