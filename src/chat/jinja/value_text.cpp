// str(), repr() and json.dumps() of values.
#include <algorithm>
#include <cmath>
#include <iterator>

#include "chat/jinja/ast.h"
#include "chat/jinja/callable.h"
#include "chat/jinja/text.h"
#include "chat/jinja/value_operations.h"
#include "json/number.h"
#include "json/write.h"

namespace glm5::chat::jinja {
namespace {

void append_escaped_character(std::string& out, char32_t c) {
    if (c < 0x100)
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<uint32_t>(c));
    else if (c < 0x10000)
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<uint32_t>(c));
    else
        fmt::format_to(std::back_inserter(out), "\\U{:08x}", static_cast<uint32_t>(c));
}

void append_string_repr(std::string& out, std::string_view text) {
    const bool double_quotes = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
    const char quote = double_quotes ? '"' : '\'';
    out += quote;
    for (size_t position = 0; position < text.size();) {
        const size_t start = position;
        const char32_t c = decode_code_point(text, position);
        if (c == '\\' || c == static_cast<unsigned char>(quote))
            (out += '\\') += static_cast<char>(c);
        else if (c == '\n')
            out += "\\n";
        else if (c == '\r')
            out += "\\r";
        else if (c == '\t')
            out += "\\t";
        else if (is_printable(c))
            out += text.substr(start, position - start);
        else
            append_escaped_character(out, c);
    }
    out += quote;
}

void append_items_repr(std::string& out, const std::vector<Value>& items, Budget& budget) {
    for (size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out += ", ";
        append_repr(out, items[i], budget);
    }
}

void append_list_repr(std::string& out, const List& list, Budget& budget) {
    switch (list.kind) {
        case ListKind::list:
            out += '[';
            append_items_repr(out, list.items, budget);
            out += ']';
            return;
        case ListKind::tuple:
            out += '(';
            append_items_repr(out, list.items, budget);
            out += list.items.size() == 1 ? ",)" : ")";
            return;
        case ListKind::view:
            out += "dict_items([";
            append_items_repr(out, list.items, budget);
            out += "])";
            return;
        case ListKind::range: fail("a range cannot be printed; make it a list first");
        case ListKind::generator: fail("a generator cannot be printed; make it a list first");
    }
}

void append_mapping_repr(std::string& out, const Mapping& mapping, Budget& budget) {
    out += '{';
    bool is_first = true;
    for (const auto& [key, value] : mapping.members()) {
        if (!is_first) out += ", ";
        is_first = false;
        append_repr(out, key, budget);
        out += ": ";
        append_repr(out, value, budget);
    }
    out += '}';
}

}  // namespace

std::string real_text(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    return json::double_text(value);
}

void append_string(std::string& out, const Value& value, Budget& budget) {
    if (value.is_string()) {
        out += value.as_string();
    } else if (!value.is_undefined()) {
        append_repr(out, value, budget);
    }
}

std::string to_string(const Value& value, Budget& budget) {
    std::string text;
    append_string(text, value, budget);
    budget.allocate(text.size());
    return text;
}

void append_repr(std::string& out, const Value& value, Budget& budget) {
    const size_t before = out.size();
    if (value.is_string())
        append_string_repr(out, value.as_string());
    else if (value.is_undefined())
        out += "Undefined";
    else if (value.is_none())
        out += "None";
    else if (value.is_bool())
        out += value.as_bool() ? "True" : "False";
    else if (value.is_int64())
        out += std::to_string(value.as_int64());
    else if (value.is_big_integer())
        out += value.as_big_integer();
    else if (value.is_real())
        out += real_text(value.as_real());
    else if (value.is_list())
        append_list_repr(out, value.as_list(), budget);
    else if (value.is_mapping())
        append_mapping_repr(out, value.as_mapping(), budget);
    else if (value.is_macro())
        fmt::format_to(std::back_inserter(out), "<Macro '{}'>", *value.as_macro().definition->name);
    else
        fail("a value of type {} cannot be printed", value.type_name());
    // Inner values counted their own text; counting it again bounds deep nesting as well.
    budget.step();
    budget.allocate(out.size() - before);
}

namespace {

class JsonWriter {
public:
    JsonWriter(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {
        options_.ascii = style.ascii;
    }

    std::string run(const Value& value) {
        write(value);
        return std::move(out_);
    }

private:
    void write(const Value& value) {
        budget_.step();
        const size_t before = out_.size();
        if (value.is_list() && value.as_list().kind <= ListKind::tuple) return write_list(value.as_list());
        if (value.is_mapping()) return write_mapping(value.as_mapping());
        if (value.is_string())
            json::write_string(out_, value.as_string(), options_);
        else
            write_plain(value);
        budget_.allocate(out_.size() - before);
    }

    void write_plain(const Value& value) {
        if (value.is_none())
            out_ += "null";
        else if (value.is_bool())
            out_ += value.as_bool() ? "true" : "false";
        else if (value.is_int64())
            out_ += std::to_string(value.as_int64());
        else if (value.is_big_integer())
            out_ += value.as_big_integer();
        else if (value.is_real())
            out_ += real_json(value.as_real());
        else
            fail("Object of type {} is not JSON serializable", value.type_name());
    }

    static std::string real_json(double value) {
        if (std::isnan(value)) return "NaN";
        if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
        return json::double_text(value);
    }

    void begin_item(bool is_first) {
        if (!is_first) out_ += style_.item_separator;
        start_line();
    }
    void start_line() {
        if (!style_.indent) return;
        budget_.allocate(static_cast<size_t>(level_) + 1, style_.indent->size() + 1);
        out_ += '\n';
        for (int i = 0; i < level_; ++i) out_ += *style_.indent;
    }

    void write_list(const List& list) {
        if (list.items.empty()) return void(out_ += "[]");
        out_ += '[';
        ++level_;
        for (size_t i = 0; i < list.items.size(); ++i) {
            begin_item(i == 0);
            write(list.items[i]);
        }
        --level_;
        start_line();
        out_ += ']';
    }

    void write_mapping(const Mapping& mapping) {
        if (mapping.members().empty()) return void(out_ += "{}");
        std::vector<const Mapping::Member*> members;
        for (const Mapping::Member& member : mapping.members()) members.push_back(&member);
        if (style_.sort_keys) {
            std::stable_sort(members.begin(), members.end(), [&](const auto* a, const auto* b) {
                return order(a->first, b->first, "<", budget_).value_or(0) < 0;
            });
        }
        out_ += '{';
        ++level_;
        for (size_t i = 0; i < members.size(); ++i) {
            begin_item(i == 0);
            write_key(members[i]->first);
            out_ += style_.key_separator;
            write(members[i]->second);
        }
        --level_;
        start_line();
        out_ += '}';
    }

    void write_key(const Value& key) {
        if (key.is_string()) budget_.allocate(key.as_string().size());
        if (key.is_string()) return json::write_string(out_, key.as_string(), options_);
        if (!key.is_number() && !key.is_none())
            fail("keys must be str, int, float, bool or None, not {}", key.type_name());
        out_ += '"';
        write_plain(key);
        out_ += '"';
    }

    const JsonStyle& style_;
    Budget& budget_;
    json::WriteOptions options_;
    std::string out_;
    int level_ = 0;
};

}  // namespace

std::string to_json(const Value& value, const JsonStyle& style, Budget& budget) {
    return JsonWriter(style, budget).run(value);
}

}  // namespace glm5::chat::jinja
