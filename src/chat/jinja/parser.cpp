// Statements: text between tags and the tags themselves.
#include "chat/jinja/parser.h"

#include <initializer_list>

#include "chat/jinja/expression_parser.h"
#include "chat/jinja/resolver.h"

namespace glm5::chat::jinja {
namespace {

class Parser {
public:
    explicit Parser(std::string_view source) : stream_(tokenize(source)), expressions_(stream_, nesting_) {}

    SyntaxTree run() {
        SyntaxTree tree;
        tree.root.body = parse_body({}, 1);
        return tree;
    }

private:
    using EndTags = std::initializer_list<std::string_view>;

    // Statements up to one of the end tags, whose name is then the current token; to the end when there are none.
    Body parse_body(EndTags ends, int first_line) {
        const NestingGuard guard(nesting_, first_line);
        Body body;
        while (!stream_.at_end()) {
            const Token token = stream_.next();
            if (token.type == TokenType::data) {
                body.push_back(std::make_unique<TextStatement>(token.text, token.line));
            } else if (token.type == TokenType::variable_begin) {
                body.push_back(std::make_unique<PrintStatement>(expressions_.parse_tuple(), token.line));
                stream_.expect(TokenType::variable_end, "end of print statement");
            } else {
                for (const std::string_view end : ends)
                    if (stream_.at_name(end)) return body;
                parse_statement(body);
                stream_.expect(TokenType::block_end, "end of statement block");
            }
        }
        if (ends.size() != 0) {
            fail_at(stream_.line(), "unexpected end of template: the block that begins in line {} needs '{}'",
                    first_line, *(ends.end() - 1));
        }
        return body;
    }

    // The body behind the rest of an opening tag.
    Body parse_block(EndTags ends) {
        stream_.skip_symbol(":");
        const int line = stream_.expect(TokenType::block_end, "end of statement block").line;
        return parse_body(ends, line);
    }
    Body parse_whole_block(std::string_view end) {
        Body body = parse_block({end});
        stream_.next();
        return body;
    }

    void parse_statement(Body& body) {
        const int line = stream_.line();
        const Token tag = stream_.expect(TokenType::name, "tag name");
        const std::string& name = tag.text;
        if (name == "print") return parse_print(body);
        if (name == "set")
            body.push_back(parse_set(line));
        else if (name == "if")
            body.push_back(parse_if(line));
        else if (name == "for")
            body.push_back(parse_for(line));
        else if (name == "macro")
            body.push_back(parse_macro(line));
        else if (name == "call")
            body.push_back(parse_call_block(line));
        else if (name == "filter")
            body.push_back(parse_filter_block(line));
        else if (name == "with")
            body.push_back(parse_with(line));
        else if (name == "generation")
            body.push_back(parse_generation(line));
        else if (name == "break" || name == "continue")
            body.push_back(parse_loop_control(name == "break", line));
        else
            fail_at(line, "{}", describe_unknown_tag(name));
    }

    static std::string describe_unknown_tag(std::string_view name) {
        for (const std::string_view other : {"include", "import", "from", "extends", "block", "autoescape"})
            if (name == other) return fmt::format("the tag '{}' is not supported in a chat template", name);
        return fmt::format("Encountered unknown tag '{}'", name);
    }

    void parse_print(Body& body) {
        bool is_first = true;
        while (!stream_.at(TokenType::block_end)) {
            if (!is_first) stream_.expect_symbol(",");
            is_first = false;
            const int line = stream_.line();
            body.push_back(std::make_unique<PrintStatement>(expressions_.parse_expression(), line));
        }
    }

    StatementPtr parse_set(int line) {
        Target target = expressions_.parse_target({}, true);
        if (stream_.skip_symbol("=")) {
            auto node = std::make_unique<SetStatement>(line);
            node->target = std::move(target);
            node->value = expressions_.parse_tuple();
            return node;
        }
        auto node = std::make_unique<SetBlockStatement>(line);
        node->target = std::move(target);
        node->filter = expressions_.parse_filters(nullptr);
        node->scope.body = parse_whole_block("endset");
        return node;
    }

    StatementPtr parse_if(int line) {
        auto node = std::make_unique<IfStatement>(line);
        while (true) {
            ExpressionPtr condition = expressions_.parse_tuple(false);
            Body body = parse_block({"elif", "else", "endif"});
            node->branches.emplace_back(std::move(condition), std::move(body));
            const bool has_else = stream_.at_name("else");
            if (stream_.next().text == "elif") continue;
            if (has_else) node->otherwise = parse_whole_block("endif");
            return node;
        }
    }

    StatementPtr parse_for(int line) {
        auto node = std::make_unique<ForStatement>(line);
        node->target = expressions_.parse_target("in", false);
        stream_.expect_name("in");
        node->iterable = expressions_.parse_tuple(false, "recursive");
        if (stream_.skip_name("if")) node->test = expressions_.parse_expression();
        if (stream_.at_name("recursive")) fail_at(line, "recursive loops are not supported");
        ++loops_;
        node->scope.body = parse_block({"endfor", "else"});
        --loops_;
        if (stream_.next().text == "else") node->otherwise.body = parse_whole_block("endfor");
        return node;
    }

    std::vector<Parameter> parse_parameters() {
        std::vector<Parameter> parameters;
        stream_.expect_symbol("(");
        while (!stream_.at_symbol(")")) {
            if (!parameters.empty()) stream_.expect_symbol(",");
            Parameter parameter;
            const int line = stream_.line();
            parameter.name = expressions_.parse_name();
            parameter.undefined = undefined_message(fmt::format("parameter '{}' was not provided", *parameter.name));
            if (stream_.skip_symbol("="))
                parameter.default_value = expressions_.parse_expression();
            else if (!parameters.empty() && parameters.back().default_value)
                fail_at(line, "non-default argument follows default argument");
            parameters.push_back(std::move(parameter));
        }
        stream_.expect_symbol(")");
        return parameters;
    }

    // The body of a macro is a function: a loop around it does not reach inside.
    void parse_macro_body(MacroDefinition& definition, std::string_view end) {
        const int outer_loops = loops_;
        loops_ = 0;
        definition.scope.body = parse_whole_block(end);
        loops_ = outer_loops;
    }

    StatementPtr parse_macro(int line) {
        auto node = std::make_unique<MacroStatement>(line);
        node->definition.line = line;
        node->definition.name = expressions_.parse_name();
        node->definition.parameters = parse_parameters();
        parse_macro_body(node->definition, "endmacro");
        return node;
    }

    StatementPtr parse_call_block(int line) {
        auto node = std::make_unique<CallBlockStatement>(line);
        node->definition.line = line;
        node->definition.name = std::make_shared<const std::string>("caller");
        if (stream_.at_symbol("(")) node->definition.parameters = parse_parameters();
        ExpressionPtr call = expressions_.parse_expression();
        if (call->kind != ExpressionKind::call) fail_at(line, "expected call");
        node->call.reset(static_cast<CallExpression*>(call.release()));
        parse_macro_body(node->definition, "endcall");
        return node;
    }

    StatementPtr parse_filter_block(int line) {
        auto node = std::make_unique<FilterBlockStatement>(line);
        node->filter = expressions_.parse_filters(nullptr, true);
        node->scope.body = parse_whole_block("endfilter");
        return node;
    }

    StatementPtr parse_with(int line) {
        auto node = std::make_unique<WithStatement>(line);
        while (!stream_.at(TokenType::block_end)) {
            if (!node->assignments.empty()) stream_.expect_symbol(",");
            Target target = expressions_.parse_target({}, false);
            stream_.expect_symbol("=");
            node->assignments.emplace_back(std::move(target), expressions_.parse_expression());
        }
        node->scope.body = parse_whole_block("endwith");
        return node;
    }

    StatementPtr parse_generation(int line) {
        auto node = std::make_unique<ScopeStatement>(line);
        node->scope.body = parse_whole_block("endgeneration");
        return node;
    }

    StatementPtr parse_loop_control(bool is_break, int line) {
        if (loops_ == 0) fail_at(line, "'{}' outside loop", is_break ? "break" : "continue");
        return std::make_unique<Statement>(is_break ? StatementKind::break_loop : StatementKind::continue_loop, line);
    }

    TokenStream stream_;
    int nesting_ = 0;
    int loops_ = 0;  // around the current statement, within its macro
    ExpressionParser expressions_;
};

}  // namespace

SyntaxTree parse_template(std::string_view source) {
    if (source.size() > kMaxTemplateBytes) fail_at(1, "the template is larger than {} bytes", kMaxTemplateBytes);
    SyntaxTree tree = Parser(source).run();
    resolve_names(tree);
    return tree;
}

}  // namespace glm5::chat::jinja
