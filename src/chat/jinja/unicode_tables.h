// Character tables for text.cpp, written by tools/make_jinja_unicode_tables.py.
#pragma once

#include <cstdint>
#include <span>

namespace glm5::chat::jinja {

struct CodePointRange {
    uint32_t first, last;
};

// Every stride-th code point from first to last maps to itself + delta.
struct CaseRange {
    uint32_t first, last;
    uint32_t stride;
    int32_t delta;
};

// A code point that maps to several, or whose title case differs from its upper case; 0 pads.
struct SpecialCase {
    uint32_t code_point;
    uint32_t mapped[3];
};

extern const std::span<const CodePointRange> kNotPrintable;
extern const std::span<const CaseRange> kLowerRanges;
extern const std::span<const CaseRange> kUpperRanges;
extern const std::span<const SpecialCase> kSpecialLower;
extern const std::span<const SpecialCase> kSpecialUpper;
extern const std::span<const SpecialCase> kSpecialTitle;

}  // namespace glm5::chat::jinja
