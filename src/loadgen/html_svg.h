// The parts of which plots are drawn: escaped text, axes, and an SVG picture as text. Colours are CSS classes of the
// page.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace glm5::loadgen {

// As text or attribute of HTML and SVG; control characters, which XML has no form of, become U+FFFD.
std::string escape_html(std::string_view text);

// Values → 0 … 1, with round numbers as ticks.
class Scale {
public:
    // From 0 to a round number ≥ `greatest`.
    static Scale linear(double greatest);
    // Around least … greatest, both positive.
    static Scale logarithmic(double least, double greatest);

    double at(double value) const;
    const std::vector<double>& ticks() const { return ticks_; }

private:
    double low_ = 0, high_ = 1;
    bool is_logarithmic_ = false;
    std::vector<double> ticks_;
};

// 0.5, 20, 1k, 2.5M.
std::string tick_text(double value);

using Points = std::vector<std::pair<double, double>>;

// One picture; y goes down. Every text is escaped here.
class Svg {
public:
    enum class Anchor { start, middle, end };

    // `description` is for who cannot see it.
    Svg(double width, double height, std::string_view description);

    void line(double x1, double y1, double x2, double y2, std::string_view css_class);
    void polyline(const Points& points, std::string_view css_class);
    void polygon(const Points& points, std::string_view css_class);
    void rectangle(double x, double y, double width, double height, std::string_view css_class,
                   std::string_view tooltip = "");
    void circle(double x, double y, double radius, std::string_view css_class, std::string_view tooltip = "");
    void text(double x, double y, Anchor anchor, std::string_view css_class, std::string_view text);
    // Turned, to be read from below.
    void upright_text(double x, double y, std::string_view css_class, std::string_view text);

    std::string finish() &&;

private:
    void shape(std::string_view element, std::string_view tooltip);
    std::string out_;
};

}  // namespace glm5::loadgen
