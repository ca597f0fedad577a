// Methods of str.
#include <algorithm>

#include "chat/jinja/builtin_helpers.h"
#include "chat/jinja/methods.h"
#include "chat/jinja/text.h"

namespace glm5::chat::jinja {
namespace {

std::string_view subject_text(Evaluator& evaluator, const Value& subject) {
    evaluator.budget().scan(subject.as_string().size());
    return subject.as_string();
}

Value make_text(Evaluator& evaluator, std::string_view text) {
    return evaluator.make_string(std::string(text));
}

Value string_upper(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return evaluator.make_string(to_upper(subject_text(evaluator, subject)));
}
Value string_lower(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return evaluator.make_string(to_lower(subject_text(evaluator, subject)));
}
Value string_capitalize(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return evaluator.make_string(to_capitalized(subject_text(evaluator, subject)));
}
Value string_title(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return evaluator.make_string(to_title(subject_text(evaluator, subject)));
}
Value string_islower(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return Value(is_lower(subject_text(evaluator, subject)));
}
Value string_isupper(Evaluator& evaluator, const Value& subject, const Arguments&) {
    return Value(is_upper(subject_text(evaluator, subject)));
}
Value string_isspace(Evaluator& evaluator, const Value& subject, const Arguments&) {
    const std::string_view text = subject_text(evaluator, subject);
    return Value(!text.empty() && strip_left(text).empty());
}
// Decimal digits of ASCII only.
Value string_isdigit(Evaluator& evaluator, const Value& subject, const Arguments&) {
    const std::string_view text = subject_text(evaluator, subject);
    return Value(!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos);
}

enum Sides { left = 1, right = 2, both = 3 };

template <Sides sides>
Value string_strip(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    std::string_view text = subject_text(evaluator, subject);
    const Value& given = arguments.positional[0];
    if (given.is_missing() || given.is_none()) {
        if (sides & left) text = strip_left(text);
        if (sides & right) text = strip_right(text);
    } else {
        const std::string& characters = string_argument(given, "the stripped characters");
        // Each stripped character is looked for among these.
        for (size_t i = 0; i < characters.size(); i += 64) evaluator.budget().scan(text.size());
        if (sides & left) text = strip_left(text, characters);
        if (sides & right) text = strip_right(text, characters);
    }
    return text.size() == subject.as_string().size() ? subject : make_text(evaluator, text);
}

// ---- splitting

std::vector<Value> split_at(Evaluator& evaluator, std::string_view text, std::string_view separator,
                            int64_t max_splits) {
    std::vector<Value> parts;
    size_t start = 0;
    while (max_splits < 0 || static_cast<int64_t>(parts.size()) < max_splits) {
        const size_t end = find_text(text, separator, start);
        if (end == std::string_view::npos) break;
        parts.push_back(make_text(evaluator, text.substr(start, end - start)));
        start = end + separator.size();
    }
    parts.push_back(make_text(evaluator, text.substr(start)));
    return parts;
}

// From the right; the parts come in order.
std::vector<Value> split_at_last(Evaluator& evaluator, std::string_view text, std::string_view separator,
                                 int64_t max_splits) {
    std::vector<Value> parts;
    while (max_splits < 0 || static_cast<int64_t>(parts.size()) < max_splits) {
        evaluator.budget().scan(separator.size());
        const size_t found = text.rfind(separator);
        if (found == std::string_view::npos) break;
        parts.push_back(make_text(evaluator, text.substr(found + separator.size())));
        text = text.substr(0, found);
    }
    parts.push_back(make_text(evaluator, text));
    std::reverse(parts.begin(), parts.end());
    return parts;
}

std::vector<Value> split_at_spaces(Evaluator& evaluator, std::string_view text, int64_t max_splits) {
    std::vector<Value> parts;
    text = strip_left(text);
    while (!text.empty() && (max_splits < 0 || static_cast<int64_t>(parts.size()) < max_splits)) {
        size_t end = 0;
        for (size_t next = 0; next < text.size() && !is_space(decode_code_point(text, next));) end = next;
        parts.push_back(make_text(evaluator, text.substr(0, end)));
        text = strip_left(text.substr(end));
    }
    if (!text.empty()) parts.push_back(make_text(evaluator, text));
    return parts;
}

// Runs of white space in reverse: the words from the end, then what is left.
std::vector<Value> split_at_last_spaces(Evaluator& evaluator, std::string_view text, int64_t max_splits) {
    if (max_splits < 0) return split_at_spaces(evaluator, text, -1);
    std::vector<Value> parts;
    text = strip_right(text);
    while (!text.empty() && static_cast<int64_t>(parts.size()) < max_splits) {
        size_t start = text.size();
        while (start > 0) {
            size_t before = start - 1;
            while ((static_cast<unsigned char>(text[before]) & 0xc0) == 0x80) --before;
            size_t position = before;
            if (is_space(decode_code_point(text, position))) break;
            start = before;
        }
        parts.push_back(make_text(evaluator, text.substr(start)));
        text = strip_right(text.substr(0, start));
    }
    if (!text.empty()) parts.push_back(make_text(evaluator, text));
    std::reverse(parts.begin(), parts.end());
    return parts;
}

Value string_split(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string_view text = subject_text(evaluator, subject);
    const int64_t max_splits = integer(arguments.positional[1], -1, "maxsplit");
    const Value& given = arguments.positional[0];
    if (given.is_missing() || given.is_none()) return evaluator.make_list(split_at_spaces(evaluator, text, max_splits));
    const std::string& separator = string_argument(given, "the separator");
    if (separator.empty()) fail("empty separator");
    return evaluator.make_list(split_at(evaluator, text, separator, max_splits));
}

// A search from the right compares the whole text at every place.
void count_right_search(Evaluator& evaluator, std::string_view text, std::string_view wanted) {
    for (size_t i = 0; i < wanted.size(); i += 16) evaluator.budget().scan(text.size());
}

Value string_rsplit(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string_view text = subject_text(evaluator, subject);
    const int64_t max_splits = integer(arguments.positional[1], -1, "maxsplit");
    const Value& given = arguments.positional[0];
    if (given.is_missing() || given.is_none())
        return evaluator.make_list(split_at_last_spaces(evaluator, text, max_splits));
    const std::string& separator = string_argument(given, "the separator");
    if (separator.empty()) fail("empty separator");
    count_right_search(evaluator, text, separator);
    return evaluator.make_list(split_at_last(evaluator, text, separator, max_splits));
}

Value string_splitlines(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string_view text = subject_text(evaluator, subject);
    const bool keeps_ends = flag(arguments.positional[0], false);
    std::vector<Value> lines;
    const std::vector<std::string_view> found = split_lines(text);
    for (size_t i = 0; i < found.size(); ++i) {
        const char* end = i + 1 < found.size() ? found[i + 1].data() : text.data() + text.size();
        lines.push_back(make_text(
            evaluator,
            keeps_ends ? std::string_view(found[i].data(), static_cast<size_t>(end - found[i].data())) : found[i]));
    }
    return evaluator.make_list(std::move(lines));
}

Value string_partition(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string_view text = subject_text(evaluator, subject);
    const std::string& separator = string_argument(arguments.positional[0], "the separator");
    if (separator.empty()) fail("empty separator");
    const size_t found = find_text(text, separator);
    if (found == std::string_view::npos)
        return evaluator.make_list({subject, Value::string(""), Value::string("")}, ListKind::tuple);
    return evaluator.make_list({make_text(evaluator, text.substr(0, found)), arguments.positional[0],
                                make_text(evaluator, text.substr(found + separator.size()))},
                               ListKind::tuple);
}

Value string_rpartition(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string_view text = subject_text(evaluator, subject);
    const std::string& separator = string_argument(arguments.positional[0], "the separator");
    if (separator.empty()) fail("empty separator");
    count_right_search(evaluator, text, separator);
    const size_t found = text.rfind(separator);
    if (found == std::string_view::npos)
        return evaluator.make_list({Value::string(""), Value::string(""), subject}, ListKind::tuple);
    return evaluator.make_list({make_text(evaluator, text.substr(0, found)), arguments.positional[0],
                                make_text(evaluator, text.substr(found + separator.size()))},
                               ListKind::tuple);
}

Value string_join(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string& separator = subject.as_string();
    std::string text;
    const std::vector<Value> items = iterate(arguments.positional[0], evaluator.budget());
    for (size_t i = 0; i < items.size(); ++i) {
        if (!items[i].is_string()) fail("sequence item {}: expected str instance, {} found", i, items[i].type_name());
        evaluator.budget().allocate(separator.size() + items[i].as_string().size());
        if (i > 0) text += separator;
        text += items[i].as_string();
    }
    return Value::string(std::move(text));
}

// Between all characters when `old` is empty.
std::string replace_empty(std::string_view text, std::string_view replacement, int64_t count) {
    std::string out;
    for (size_t position = 0; position <= text.size();) {
        if (count != 0) out += replacement;
        if (count > 0) --count;
        if (position == text.size()) break;
        const size_t start = position;
        decode_code_point(text, position);
        out += text.substr(start, position - start);
    }
    return out;
}

Value string_replace(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string_view text = subject_text(evaluator, subject);
    const std::string& old = string_argument(arguments.positional[0], "the replaced text");
    const std::string& replacement = string_argument(arguments.positional[1], "the replacement");
    int64_t count = integer(arguments.positional[2], -1, "count");
    if (old.empty()) {
        evaluator.budget().allocate(text.size() + 1, replacement.size() + 1);
        return evaluator.make_string(replace_empty(text, replacement, count));
    }
    std::string out;
    size_t start = 0;
    while (count != 0) {
        const size_t found = find_text(text, old, start);
        if (found == std::string_view::npos) break;
        evaluator.budget().allocate(found - start + replacement.size());
        out += text.substr(start, found - start);
        out += replacement;
        start = found + old.size();
        if (count > 0) --count;
    }
    if (start == 0) return subject;
    out += text.substr(start);
    return evaluator.make_string(std::move(out));
}

// ---- searching

enum class End { front, back };

template <End end>
Value string_has_affix(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string& text = subject.as_string();
    const Value& given = arguments.positional[0];
    const auto has = [&](const Value& affix) {
        const std::string& wanted = string_argument(affix, "the prefix or suffix");
        evaluator.budget().scan(wanted.size());
        return end == End::front ? text.starts_with(wanted) : text.ends_with(wanted);
    };
    if (!given.is_list() || given.as_list().kind != ListKind::tuple) return Value(has(given));
    return Value(std::any_of(given.as_list().items.begin(), given.as_list().items.end(), has));
}

template <End end>
Value string_remove_affix(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string_view text = subject.as_string();
    const std::string& affix = string_argument(arguments.positional[0], "the prefix or suffix");
    if (end == End::front) return text.starts_with(affix) ? make_text(evaluator, text.substr(affix.size())) : subject;
    return text.ends_with(affix) ? make_text(evaluator, text.substr(0, text.size() - affix.size())) : subject;
}

// The position counted in characters, or -1.
template <End end>
int64_t find_position(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string_view text = subject_text(evaluator, subject);
    const std::string& wanted = string_argument(arguments.positional[0], "the text that is looked for");
    if (end == End::back) count_right_search(evaluator, text, wanted);
    const size_t found = end == End::front ? find_text(text, wanted) : text.rfind(wanted);
    return found == std::string_view::npos ? -1 : static_cast<int64_t>(count_code_points(text.substr(0, found)));
}

template <End end>
Value string_find(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    return Value(find_position<end>(evaluator, subject, arguments));
}

template <End end>
Value string_index(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const int64_t position = find_position<end>(evaluator, subject, arguments);
    if (position < 0) fail("substring not found");
    return Value(position);
}

Value string_count(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string_view text = subject_text(evaluator, subject);
    const std::string& wanted = string_argument(arguments.positional[0], "the text that is counted");
    if (wanted.empty()) return Value(static_cast<int64_t>(count_code_points(text)) + 1);
    int64_t count = 0;
    for (size_t found = find_text(text, wanted); found != std::string_view::npos;
         found = find_text(text, wanted, found + wanted.size()))
        ++count;
    return Value(count);
}

// ---- padding

std::string padding(Evaluator& evaluator, int64_t count, const Value& given) {
    const std::string fill = given.is_missing() ? " " : string_argument(given, "the fill character");
    if (count_code_points(fill) != 1) fail("The fill character must be exactly one character long");
    if (count <= 0) return {};
    evaluator.budget().allocate(static_cast<size_t>(count), fill.size());
    std::string out;
    for (int64_t i = 0; i < count; ++i) out += fill;
    return out;
}

template <Sides side>
Value string_pad(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string_view text = subject_text(evaluator, subject);
    const int64_t width = integer(arguments.positional[0], 0, "width");
    const int64_t missing = std::max<int64_t>(0, width - static_cast<int64_t>(count_code_points(text)));
    // Python's centre puts the odd blank to the left when the width is odd.
    const int64_t before = side == left ? 0 : side == right ? missing : missing / 2 + (missing & width & 1);
    const std::string filled = padding(evaluator, before, arguments.positional[1]) + std::string(text);
    return evaluator.make_string(filled + padding(evaluator, missing - before, arguments.positional[1]));
}

Value string_zfill(Evaluator& evaluator, const Value& subject, const Arguments& arguments) {
    const std::string_view text = subject_text(evaluator, subject);
    const int64_t missing =
        integer(arguments.positional[0], 0, "width") - static_cast<int64_t>(count_code_points(text));
    const size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
    const std::string zeros = padding(evaluator, missing, Value::string("0"));
    return evaluator.make_string(std::string(text.substr(0, sign)) + zeros + std::string(text.substr(sign)));
}

constexpr Builtin kStringMethods[] = {
    {"capitalize", string_capitalize},
    {"center", string_pad<both>, {"width", "fillchar"}, 1},
    {"count", string_count, {"sub"}, 1},
    {"endswith", string_has_affix<End::back>, {"suffix"}, 1},
    {"find", string_find<End::front>, {"sub"}, 1},
    {"index", string_index<End::front>, {"sub"}, 1},
    {"isdigit", string_isdigit},
    {"islower", string_islower},
    {"isspace", string_isspace},
    {"isupper", string_isupper},
    {"join", string_join, {"iterable"}, 1},
    {"ljust", string_pad<left>, {"width", "fillchar"}, 1},
    {"lower", string_lower},
    {"lstrip", string_strip<left>, {"chars"}},
    {"partition", string_partition, {"sep"}, 1},
    {"removeprefix", string_remove_affix<End::front>, {"prefix"}, 1},
    {"removesuffix", string_remove_affix<End::back>, {"suffix"}, 1},
    {"replace", string_replace, {"old", "new", "count"}, 2},
    {"rfind", string_find<End::back>, {"sub"}, 1},
    {"rindex", string_index<End::back>, {"sub"}, 1},
    {"rjust", string_pad<right>, {"width", "fillchar"}, 1},
    {"rpartition", string_rpartition, {"sep"}, 1},
    {"rsplit", string_rsplit, {"sep", "maxsplit"}},
    {"rstrip", string_strip<right>, {"chars"}},
    {"split", string_split, {"sep", "maxsplit"}},
    {"splitlines", string_splitlines, {"keepends"}},
    {"startswith", string_has_affix<End::front>, {"prefix"}, 1},
    {"strip", string_strip<both>, {"chars"}},
    {"title", string_title},
    {"upper", string_upper},
    {"zfill", string_zfill, {"width"}, 1},
};

}  // namespace

const Builtin* find_string_method(std::string_view name) {
    return find_builtin(kStringMethods, name);
}

}  // namespace glm5::chat::jinja
