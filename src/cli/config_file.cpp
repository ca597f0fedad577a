// YAML events → JSON values → entries. The only file that includes yaml-cpp.
#include "cli/config_file.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "json/parse.h"
#include "json/write.h"

namespace glm5::cli {
namespace {

constexpr size_t kMaxBytes = 256 << 10, kMaxDepth = 16, kMaxValues = 10'000;

// Leaves the parser, which knows no other way to stop.
struct Refusal {
    int line;  // 0: of the whole file
    std::string message;
};

// A scalar inside of a list or map: null, a boolean or a number when it is plain and reads as JSON, else a string.
json::Value typed(const std::string& text, bool plain) {
    if (plain) {
        if (text.empty() || text == "~") return nullptr;
        const auto value = json::parse(text);
        if (value.ok() && !value->is_array() && !value->is_object()) return *value;
    }
    return text;
}

// Builds the value of the document. A container waits in `open_` until its end.
class Builder : public YAML::EventHandler {
public:
    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse(mark, "aliases are not supported"); }
    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add_scalar(mark, "", true); }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& text) override {
        add_scalar(mark, text, tag == "?" || tag.empty());
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {
        open(mark, json::Array());
    }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
        open(mark, json::Object());
    }
    void OnSequenceEnd() override { close(); }
    void OnMapEnd() override { close(); }

    std::vector<ConfigEntry> take_entries() { return std::move(entries_); }

private:
    struct Open {
        json::Value value;
        std::optional<std::string> key;  // of a map: read, and its value is not
        int line = 0;                    // of the key
    };

    [[noreturn]] static void refuse(const YAML::Mark& mark, std::string message) {
        throw Refusal{mark.line + 1, std::move(message)};
    }
    bool is_top() const { return open_.size() == 1; }
    bool expects_key() const { return !open_.empty() && open_.back().value.is_object() && !open_.back().key; }

    void count_value(const YAML::Mark& mark) {
        if (++num_values_ > kMaxValues) refuse(mark, fmt::format("more than {} values", kMaxValues));
        if (open_.empty()) refuse(mark, "expected options, as 'name: value'");
    }

    void add_scalar(const YAML::Mark& mark, const std::string& text, bool plain) {
        count_value(mark);
        if (!expects_key()) return is_top() ? add_entry(text, plain) : add(typed(text, plain));
        Open& map = open_.back();
        const bool twice = is_top() ? std::any_of(entries_.begin(), entries_.end(),
                                                  [&](const ConfigEntry& entry) { return entry.key == text; })
                                    : map.value.as_object().contains(text);
        if (twice) refuse(mark, fmt::format("{}: is given twice", text));
        map.key = text;
        map.line = mark.line + 1;
    }

    void add_entry(const std::string& text, bool plain) {
        Open& map = open_.back();
        const bool absent = plain && (text.empty() || text == "~" || text == "null");
        if (!absent) entries_.push_back({*map.key, map.line, false, {text}});
        map.key.reset();
    }

    void open(const YAML::Mark& mark, json::Value value) {
        if (open_.empty() && !value.is_object()) refuse(mark, "expected options, as 'name: value'");
        if (!open_.empty()) count_value(mark);
        if (expects_key()) refuse(mark, "expected a name, found a list or map");
        if (open_.size() >= kMaxDepth) refuse(mark, fmt::format("nested deeper than {}", kMaxDepth));
        open_.push_back({std::move(value), {}, 0});
    }

    void close() {
        json::Value value = std::move(open_.back().value);
        open_.pop_back();
        if (open_.empty()) return;
        if (!is_top()) return add(std::move(value));
        Open& map = open_.back();
        ConfigEntry entry{*map.key, map.line, value.is_array(), {}};
        if (value.is_array())
            for (const json::Value& item : value.as_array())
                entry.values.push_back(item.is_string() ? item.as_string() : json::write(item));
        else
            entry.values.push_back(json::write(value));
        entries_.push_back(std::move(entry));
        map.key.reset();
    }

    // To the container that is open.
    void add(json::Value value) {
        Open& container = open_.back();
        if (container.value.is_array()) return container.value.as_array().push_back(std::move(value));
        container.value.as_object().append(std::move(*container.key), std::move(value));
        container.key.reset();
    }

    std::vector<Open> open_;
    std::vector<ConfigEntry> entries_;
    size_t num_values_ = 0;
};

}  // namespace

Result<std::vector<ConfigEntry>> parse_config_file(std::string_view text, const std::string& name) {
    if (text.size() > kMaxBytes) return invalid_argument("{}: more than {} bytes", name, kMaxBytes);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        Builder builder;
        parser.HandleNextDocument(builder);
        std::vector<ConfigEntry> entries = builder.take_entries();
        return entries;
    } catch (const Refusal& refusal) {
        return invalid_argument("{}:{}: {}", name, refusal.line, refusal.message);
    } catch (const YAML::Exception& error) {
        return invalid_argument("{}:{}: {}", name, error.mark.line + 1, error.msg);
    } catch (const std::exception& error) {
        return invalid_argument("{}: {}", name, error.what());
    }
}

Result<std::vector<ConfigEntry>> read_config_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return not_found("--config {}: cannot be opened", path);
    std::string text(kMaxBytes + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad() || (file.fail() && !file.eof())) return io_error("--config {}: cannot be read", path);
    text.resize(static_cast<size_t>(file.gcount()));
    return parse_config_file(text, path);
}

}  // namespace glm5::cli
