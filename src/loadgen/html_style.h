// The style sheet of a report: its colours in light and dark, and what the classes in html_chart.cpp look like.
#pragma once

#include <string_view>

namespace glm5::loadgen {

inline constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --ink: #1b2330; --soft: #566173; --line: #dfe3ea;
  --ours: #1f6feb; --tail: #c2570c; --reference: #7a828e; --good: #1a7f37; --bad: #b42318; --bad-card: #fdf0ee;
  --waiting: #c2570c; --cache: #1a7f6b; }
@media (prefers-color-scheme: dark) {
  :root { --page: #12161c; --card: #1a2029; --ink: #e4e8ee; --soft: #9aa5b5; --line: #2d3542;
    --ours: #6cb0ff; --tail: #f0964f; --reference: #98a2b0; --good: #56c271; --bad: #ff8a7a; --bad-card: #3a1f1d;
    --waiting: #f0964f; --cache: #4fc3a8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 1220px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; margin: 0 0 2px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 34px 0 10px; }
h3 { font-size: 14px; margin: 0 0 2px; }
p { margin: 4px 0; }
.soft { color: var(--soft); overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 12px; margin-top: 18px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 14px; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); gap: 12px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; min-width: 0; }
.tile b { display: block; font-size: 22px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.alert { background: var(--bad-card); border-color: var(--bad); margin-top: 16px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; color: var(--soft); font-size: 13px; margin: 0 0 4px; }
.key { display: inline-block; width: 18px; height: 0; border-top: 3px solid currentColor; margin-right: 6px;
  vertical-align: middle; }
.key.dashed { border-top-style: dashed; }
.key.ours { color: var(--ours); } .key.tail { color: var(--tail); } .key.reference { color: var(--reference); }
.key.waiting { color: var(--waiting); } .key.cache { color: var(--cache); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: 5px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; color: var(--soft); white-space: normal; vertical-align: bottom; }
tbody tr:last-child td, tbody tr:last-child th { border-bottom: 0; }
tr.first > * { border-top: 2px solid var(--line); }
td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.better { color: var(--good); } .worse, .failed { color: var(--bad); }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 12px; }
svg text.axis { font-size: 12px; } svg text.note, svg text.panel-title { fill: var(--ink); }
svg text.panel-title { font-weight: 600; font-size: 13px; }
.grid { stroke: var(--line); stroke-width: 1; } .base, .whisker { stroke: var(--soft); stroke-width: 1; }
.mark { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 4; }
.series { fill: none; stroke-width: 2; stroke-linejoin: round; }
.series.ours, .series.running { stroke: var(--ours); } .dot.ours { fill: var(--ours); }
.series.tail { stroke: var(--tail); } .dot.tail { fill: var(--tail); }
.series.waiting { stroke: var(--waiting); }
.series.reference { stroke: var(--reference); stroke-dasharray: 6 4; } .dot.reference { fill: var(--reference); }
.series.cache { stroke: var(--cache); stroke-width: 1.5; } .area.cache { fill: var(--cache); opacity: .2; }
.box { fill: var(--ours); fill-opacity: .3; stroke: var(--ours); } .median { stroke: var(--ink); stroke-width: 2; }
@media print { body { background: #fff; } .card { break-inside: avoid; } }
)css";

}  // namespace glm5::loadgen
