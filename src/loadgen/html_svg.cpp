#include "loadgen/html_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace glm5::loadgen {
namespace {

constexpr int kWantedTicks = 5;

// The least of 1, 2, 5 · 10ⁿ that is ≥ `value`.
double round_step(double value) {
    const double power = std::pow(10, std::floor(std::log10(value)));
    for (const double factor : {1, 2, 5})
        if (factor * power >= value * (1 - 1e-9)) return factor * power;
    return 10 * power;
}

std::string points_text(const Points& points) {
    std::string text;
    for (const auto& [x, y] : points) text += fmt::format("{}{:.1f},{:.1f}", text.empty() ? "" : " ", x, y);
    return text;
}

}  // namespace

std::string escape_html(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default:
                if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
                    out += "\xEF\xBF\xBD";
                else
                    out += c;
        }
    }
    return out;
}

Scale Scale::linear(double greatest) {
    Scale scale;
    const double step = round_step(std::max(greatest, 1e-9) / kWantedTicks);
    const int num_steps = std::max(1, static_cast<int>(std::ceil(greatest / step - 1e-9)));
    for (int i = 0; i <= num_steps; ++i) scale.ticks_.push_back(i * step);
    scale.high_ = scale.ticks_.back();
    return scale;
}

Scale Scale::logarithmic(double least, double greatest) {
    Scale scale;
    scale.is_logarithmic_ = true;
    scale.low_ = std::log10(least), scale.high_ = std::log10(greatest);
    const double margin = std::max(0.06 * (scale.high_ - scale.low_), 0.1);
    scale.low_ -= margin, scale.high_ += margin;
    const std::vector<int> factors =
        scale.high_ - scale.low_ < 1.2 ? std::vector<int>{1, 2, 3, 5, 7} : std::vector<int>{1, 3};
    for (double power = std::floor(scale.low_); power <= scale.high_; ++power) {
        for (const int factor : factors) {
            if (factor > 1 && scale.high_ - scale.low_ > 3) continue;
            const double tick = factor * std::pow(10, power);
            if (std::log10(tick) >= scale.low_ && std::log10(tick) <= scale.high_) scale.ticks_.push_back(tick);
        }
    }
    return scale;
}

double Scale::at(double value) const {
    return ((is_logarithmic_ ? std::log10(value) : value) - low_) / (high_ - low_);
}

std::string tick_text(double value) {
    for (const auto& [unit, letter] : {std::pair(1e9, "G"), std::pair(1e6, "M"), std::pair(1e3, "k")})
        if (std::abs(value) >= unit * (1 - 1e-9)) return fmt::format("{:.4g}{}", value / unit, letter);
    return fmt::format("{:.4g}", value);
}

Svg::Svg(double width, double height, std::string_view description)
    : out_(fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n", width, height,
                       escape_html(description))) {}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view css_class) {
    out_ += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1, y1, x2,
                        y2, escape_html(css_class));
}

void Svg::polyline(const Points& points, std::string_view css_class) {
    out_ += fmt::format("<polyline points=\"{}\" class=\"{}\"/>\n", points_text(points), escape_html(css_class));
}

void Svg::polygon(const Points& points, std::string_view css_class) {
    out_ += fmt::format("<polygon points=\"{}\" class=\"{}\"/>\n", points_text(points), escape_html(css_class));
}

void Svg::shape(std::string_view element, std::string_view tooltip) {
    const std::string_view name = element.substr(0, element.find(' '));
    out_ += fmt::format("<{}", element);
    out_ += tooltip.empty() ? "/>\n" : fmt::format("><title>{}</title></{}>\n", escape_html(tooltip), name);
}

void Svg::rectangle(double x, double y, double width, double height, std::string_view css_class,
                    std::string_view tooltip) {
    shape(fmt::format("rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"{}\"", x, y, width,
                      height, escape_html(css_class)),
          tooltip);
}

void Svg::circle(double x, double y, double radius, std::string_view css_class, std::string_view tooltip) {
    shape(fmt::format("circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" class=\"{}\"", x, y, radius,
                      escape_html(css_class)),
          tooltip);
}

void Svg::text(double x, double y, Anchor anchor, std::string_view css_class, std::string_view text) {
    const char* const name = anchor == Anchor::start ? "start" : anchor == Anchor::end ? "end" : "middle";
    out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n", x, y, name,
                        escape_html(css_class), escape_html(text));
}

void Svg::upright_text(double x, double y, std::string_view css_class, std::string_view text) {
    out_ += fmt::format(
        "<text transform=\"translate({:.1f} {:.1f}) rotate(-90)\" text-anchor=\"middle\" class=\"{}\">{}</text>\n", x,
        y, escape_html(css_class), escape_html(text));
}

std::string Svg::finish() && {
    return std::move(out_) + "</svg>\n";
}

}  // namespace glm5::loadgen
