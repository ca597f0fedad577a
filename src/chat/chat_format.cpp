// Finding the template of a checkpoint, and rendering with it.
#include "chat/chat_format.h"

#include <fstream>
#include <optional>

#include "chat/jinja/parser.h"
#include "json/parse.h"

namespace glm5::chat {
namespace {

constexpr size_t kMaxConfigBytes = size_t{16} << 20;

// The file's bytes; none when there is no such file.
Result<std::optional<std::string>> read_file_if_present(const std::filesystem::path& path, size_t max_bytes) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) return std::optional<std::string>();
    std::ifstream file(path, std::ios::binary);
    std::string bytes(max_bytes + 1, '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (file.bad() || (file.fail() && !file.eof())) return io_error("{}: cannot be read", path.string());
    bytes.resize(static_cast<size_t>(file.gcount()));
    if (bytes.size() > max_bytes) return invalid_argument("{}: larger than {} bytes", path.string(), max_bytes);
    return std::optional<std::string>(std::move(bytes));
}

Result<json::Object> read_tokenizer_config(const std::filesystem::path& path) {
    GLM5_ASSIGN_OR_RETURN(const std::optional<std::string> text, read_file_if_present(path, kMaxConfigBytes));
    if (!text) return json::Object();
    Result<json::Value> config = json::parse(*text);
    if (!config.ok()) return config.status().with_context(path.string());
    if (!config->is_object())
        return invalid_argument("{}: expected an object, found {}", path.string(), config->type_name());
    return std::move(config->as_object());
}

// `chat_template` of tokenizer_config.json; nullptr when there is none.
const std::string* template_in_config(const json::Object& config) {
    const json::Value* entry = config.find("chat_template");
    if (!entry) return nullptr;
    if (entry->is_string()) return &entry->as_string();
    if (!entry->is_array()) return nullptr;
    for (const json::Value& named : entry->as_array()) {
        const json::Value* name = named.find("name");
        const json::Value* source = named.find("template");
        if (name && name->is_string() && name->as_string() == "default" && source && source->is_string())
            return &source->as_string();
    }
    return nullptr;
}

// Every `…_token` that is a string, or an object with `content`.
json::Object special_tokens_of(const json::Object& config) {
    json::Object tokens;
    for (const auto& [key, value] : config) {
        if (!key.ends_with("_token")) continue;
        const json::Value* content = value.is_object() ? value.find("content") : &value;
        if (content && content->is_string()) tokens.set(key, *content);
    }
    return tokens;
}

}  // namespace

Result<ChatFormat> ChatFormat::from_source(std::string_view source) {
    GLM5_ASSIGN_OR_RETURN(Template parsed, Template::parse(source));
    return ChatFormat(std::move(parsed), TemplateTraits::of(source));
}

Result<ChatFormat> ChatFormat::load(const std::filesystem::path& directory) {
    const std::filesystem::path template_path = directory / "chat_template.jinja";
    const std::filesystem::path config_path = directory / "tokenizer_config.json";
    GLM5_ASSIGN_OR_RETURN(const std::optional<std::string> file,
                          read_file_if_present(template_path, jinja::kMaxTemplateBytes));
    GLM5_ASSIGN_OR_RETURN(const json::Object config, read_tokenizer_config(config_path));
    const std::string* source = file ? &*file : template_in_config(config);
    if (!source)
        return not_found("{}: no chat_template.jinja, and no chat_template in tokenizer_config.json",
                         directory.string());
    Result<ChatFormat> format = from_source(*source);
    if (!format.ok()) return format.status().with_context((file ? template_path : config_path).string());
    format->special_tokens_ = special_tokens_of(config);
    return format;
}

std::variant<ChatPrompt, MessageError> ChatFormat::render(const json::Value& messages, const json::Value& tools,
                                                          const RenderOptions& options) const {
    std::variant<Conversation, MessageError> prepared = prepare_conversation(messages, tools, traits_);
    if (MessageError* error = std::get_if<MessageError>(&prepared)) return std::move(*error);
    Conversation& conversation = std::get<Conversation>(prepared);
    json::Object variables = special_tokens_;
    for (const auto& [key, value] : options.template_kwargs) {
        if (key == "messages" || key == "tools" || key == "add_generation_prompt") {
            const std::string path = "chat_template_kwargs." + key;
            return MessageError{path, path + ": cannot be given here"};
        }
        variables.set(key, value);
    }
    variables.set("messages", std::move(conversation.messages));
    variables.set("tools", std::move(conversation.tools));
    variables.set("add_generation_prompt", options.add_generation_prompt);
    Result<std::string> text = template_.render(variables);
    if (!text.ok()) return MessageError{"messages", "messages: " + text.status().message()};
    const PromptEnd end = prompt_end(*text);
    return ChatPrompt{std::move(text).value(), end};
}

json::Object ChatFormat::effort_variables(std::string_view effort) const {
    json::Object variables;
    const bool wants_none = effort == "none" || effort == "minimal";
    if (wants_none && traits_.reads_enable_thinking) {
        variables.set("enable_thinking", false);
    } else if (traits_.reads_reasoning_effort) {
        const bool always_thinks = !traits_.reads_enable_thinking;
        const bool is_low = wants_none || effort == "low" || effort == "medium";
        variables.set("reasoning_effort", is_low && always_thinks      ? "low"
                                          : is_low || effort == "high" ? "high"
                                                                       : "max");
    }
    return variables;
}

}  // namespace glm5::chat
