#!/usr/bin/env python3
"""Writes src/chat/jinja/unicode_tables.cpp from this Python's own character database.

Run: python3 tools/make_jinja_unicode_tables.py > src/chat/jinja/unicode_tables.cpp
"""
import unicodedata

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ranges(selected):
    out = []
    for c in selected:
        if out and out[-1][1] + 1 == c:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def case_ranges(mapping):
    """Greedy runs of equal delta and stride 1 or 2."""
    out = []
    for c, delta in sorted(mapping.items()):
        if out:
            run = out[-1]
            gap = c - run[1]
            if run[3] == delta and gap <= 2 and (run[0] == run[1] or run[2] == gap):
                run[1], run[2] = c, gap
                continue
        out.append([c, c, 1, delta])
    return out


def tables(method):
    simple, special = {}, {}
    for c in CODE_POINTS:
        mapped = getattr(chr(c), method)()
        if mapped == chr(c):
            continue
        if len(mapped) == 1:
            simple[c] = ord(mapped) - c
        else:
            special[c] = [ord(m) for m in mapped]
    return simple, special


def write(type_name, name, rows):
    print(f"constexpr {type_name} k{name}Rows[] = {{")
    line = "   "
    for row in rows:
        if len(line) + len(row) > 118:
            print(line)
            line = "   "
        line += " " + row
    print(line)
    print("};\n")


def hexadecimal(c):
    return f"0x{c:x}"


def special_rows(special):
    return [f"{{{hexadecimal(c)}, {{{', '.join(hexadecimal(m) for m in mapped + [0] * (3 - len(mapped)))}}}}},"
            for c, mapped in sorted(special.items())]


def main():
    lower, special_lower = tables("lower")
    upper, special_upper = tables("upper")
    title, special_title = tables("title")
    for c in set(upper) | set(special_upper) | set(title):
        expected = special_upper.get(c) or [c + upper.get(c, 0)]
        actual = special_title.get(c) or [c + title.get(c, 0)]
        if actual != expected:
            special_title[c] = actual
        else:
            special_title.pop(c, None)
    print("// Character tables of Unicode " + unicodedata.unidata_version + ". Written by tools/make_jinja_unicode_tables.py.")
    print('#include "chat/jinja/unicode_tables.h"\n\nnamespace glm5::chat::jinja {\nnamespace {\n')
    write("CodePointRange", "NotPrintable",
          [f"{{{hexadecimal(a)}, {hexadecimal(b)}}}," for a, b in ranges(c for c in CODE_POINTS if not chr(c).isprintable())])
    for name, mapping in (("LowerRanges", lower), ("UpperRanges", upper)):
        write("CaseRange", name, [f"{{{hexadecimal(a)}, {hexadecimal(b)}, {s}, {d}}}," for a, b, s, d in case_ranges(mapping)])
    write("SpecialCase", "SpecialLower", special_rows(special_lower))
    write("SpecialCase", "SpecialUpper", special_rows(special_upper))
    write("SpecialCase", "SpecialTitle", special_rows(special_title))
    print("}  // namespace\n")
    for type_name, name in (("CodePointRange", "NotPrintable"), ("CaseRange", "LowerRanges"), ("CaseRange", "UpperRanges"),
                            ("SpecialCase", "SpecialLower"), ("SpecialCase", "SpecialUpper"), ("SpecialCase", "SpecialTitle")):
        print(f"const std::span<const {type_name}> k{name} = k{name}Rows;")
    print("\n}  // namespace glm5::chat::jinja")


main()
