"""The look of the timeline."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #18202b; --soft: #586474;
  --line: #dfe4ea; --grid: #eef1f4; --in: #7546c4; --out: #0a63c9; --pass: #1b7f4d;
  --pass-back: #dcf2e5; --fail: #c4262e; --fail-back: #fde4e4; --fault: #a85a00;
  --fault-back: #ffedd1; --task: #66727f; --bus: #08757f; --band: rgba(196,38,46,.07);
  --scale: 4.4rem; }
@media (prefers-color-scheme: dark) { :root { --page: #0d1218; --card: #131a22; --ink: #e3e9f0;
  --soft: #93a1b2; --line: #28323e; --grid: #1c242e; --in: #b895f5; --out: #5aa9ff;
  --pass: #48c78a; --pass-back: #123524; --fail: #ff7a75; --fail-back: #45191c; --fault: #f2a64d;
  --fault-back: #402b0f; --task: #8d9aa8; --bus: #3cc0cb; --band: rgba(255,122,117,.1); } }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--page);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { --names: clamp(10.5rem, calc(var(--longest) * .53rem + 5.5rem), 19rem);
  max-width: 110rem; margin: 0 auto; padding: 1.2rem 1.4rem 2rem; }
h1 { font-size: 1.25rem; line-height: 1.3; margin: 0; overflow-wrap: anywhere; }
header { display: flex; flex-wrap: wrap; gap: .3rem .8rem; align-items: center;
  margin-bottom: .9rem; }
header dl { display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; width: 100%; margin: 0;
  color: var(--soft); font-size: .86rem; }
header dl div { display: flex; gap: .4rem; min-width: 0; } header dt::after { content: ":"; }
header dd { margin: 0; color: var(--ink); overflow-wrap: anywhere; }
.pill { border-radius: 1rem; padding: .1rem .7rem; font-weight: 600; font-size: .86rem; margin: 0;
  color: var(--pass); background: var(--pass-back); }
.pill.fail { color: var(--fail); background: var(--fail-back); }
.verdict article { background: var(--card); border: 1px solid var(--line);
  border-left: 4px solid var(--fail); border-radius: 6px; padding: .6rem .9rem;
  margin-bottom: .7rem; }
.verdict h2 { font-size: 1rem; margin: 0; color: var(--fail); overflow-wrap: anywhere; }
.verdict p { margin: .15rem 0 0; overflow-wrap: anywhere; } .where { color: var(--soft); }
.verdict ol { margin: .4rem 0 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap;
  gap: .2rem .35rem; font-size: .88rem; }
.verdict li { overflow-wrap: anywhere; } .verdict li:not(:last-child)::after { content: ";"; }
details { margin: 0 0 .7rem; color: var(--soft); font-size: .9rem; }
details ul { margin: .3rem 0; padding-left: 1.2rem; } summary { cursor: pointer; }
details ul, details table { color: var(--ink); }
table { border-collapse: collapse; } td, th { padding: .1rem 1rem .1rem 0; text-align: left;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.tools { display: none; flex-wrap: wrap; align-items: center; gap: .35rem; margin: .3rem 0 .5rem; }
.live .tools { display: flex; }
.tools button { font: inherit; font-size: .86rem; color: var(--ink); background: var(--card);
  border: 1px solid var(--line); border-radius: 5px; padding: .15rem .65rem; cursor: pointer; }
.tools button:hover { border-color: var(--soft); }
.tools p { margin: 0 0 0 .5rem; color: var(--soft); font-size: .86rem;
  font-variant-numeric: tabular-nums; }
:focus-visible { outline: 2px solid var(--out); outline-offset: 1px; }
.map { position: relative; height: 14px; margin: 0 0 .4rem calc(var(--names) + var(--scale));
  background: var(--card); border: 1px solid var(--line); border-radius: 4px; overflow: hidden; }
.live .map { cursor: pointer; }
.map i { position: absolute; top: 0; bottom: 0; min-width: 2px; }
.map .pass { background: var(--pass); opacity: .35; } .map .fail { background: var(--fail); }
.map .fault { background: var(--fault); opacity: .5; top: 8px; }
.map b { position: absolute; top: -1px; bottom: -1px; min-width: 5px;
  border: 2px solid var(--ink); border-radius: 4px; }
.chart { position: relative; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding-bottom: 4px; }
.under, .over { position: absolute; top: 0; bottom: 0; right: 0;
  left: calc(var(--names) + var(--scale)); overflow: hidden; pointer-events: none; }
.under i { position: absolute; top: 0; bottom: 0; border-left: 1px solid var(--grid); }
.under i.band { background: var(--band); border: solid var(--fail); border-width: 0 1px;
  min-width: 2px; opacity: .9; }
.over { z-index: 4; }
.over i { position: absolute; top: 0; bottom: 0; border-left: 1.5px solid var(--ink);
  font-style: normal; }
.over .mark { border-left: 1.5px dashed var(--out); }
.over b { position: absolute; top: 3px; left: 3px; padding: 0 .4rem; border-radius: 3px;
  background: var(--ink); color: var(--card); font-size: .8rem; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.over .left b { left: auto; right: 4px; }
.row { position: relative; display: grid;
  grid-template-columns: var(--names) var(--scale) minmax(0, 1fr);
  border-top: 1px solid var(--line); }
.row.axis { position: sticky; top: 0; z-index: 3; background: var(--card); border: 0;
  border-bottom: 1px solid var(--line); height: 26px; border-radius: 6px 6px 0 0; }
.row.axis + .row { border-top: 0; }
.group { position: relative; padding: .55rem .7rem .1rem; color: var(--soft); font-size: .74rem;
  font-weight: 600; letter-spacing: .05em; text-transform: uppercase;
  border-top: 1px solid var(--line); }
.group + .row { border-top: 0; }
.name { display: flex; align-items: center; gap: .5rem; padding: 0 .3rem 0 .7rem; min-width: 0; }
.name span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 2.5rem; }
.name .long { white-space: normal; overflow-wrap: anywhere; font-size: .76rem; line-height: 1.1;
  display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; }
.name b { margin-left: auto; flex: none; font-weight: 600; color: var(--soft);
  font-variant-numeric: tabular-nums; white-space: nowrap; font-size: .9rem; }
.in .name b { color: var(--in); } .out .name b { color: var(--out); }
.failed .name span { font-weight: 650; }
.scale { position: relative; color: var(--soft); font-size: .74rem; text-align: right;
  font-variant-numeric: tabular-nums; line-height: 1.1; }
.scale b { position: absolute; right: .45rem; font-weight: 400; transform: translateY(-50%);
  white-space: nowrap; }
.scale b:first-child { transform: none; top: 2px; } .scale b:last-child { transform: none;
  bottom: 2px; }
.axis .scale { line-height: 26px; padding-right: .45rem; }
.plot { position: relative; overflow: hidden; border-left: 1px solid var(--line); }
.live .plot { cursor: crosshair; touch-action: pan-y; }
.axis .plot b { position: absolute; top: 4px; padding-left: 5px; font-weight: 400;
  font-size: .8rem; color: var(--soft); white-space: nowrap; font-variant-numeric: tabular-nums; }
svg { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
path { vector-effect: non-scaling-stroke; fill: none; }
.in { --tone: var(--in); } .out { --tone: var(--out); } .task { --tone: var(--task); }
.bus { --tone: var(--bus); }
.line { stroke: var(--tone); stroke-width: 1.6; stroke-linejoin: round; }
.area { fill: var(--tone); opacity: .12; } .open { stroke: var(--tone); stroke-width: 1.6;
  stroke-dasharray: 3 4; opacity: .8; }
.limit { stroke: var(--fail); stroke-dasharray: 5 4; opacity: .8; }
b.limit { position: absolute; left: 5px; transform: translateY(-100%); color: var(--fail);
  font-size: .72rem; font-weight: 400; line-height: 1.15; } b.limit.below { transform: none; }
.marks { stroke: var(--tone); stroke-width: 1.2; }
.marks.bad { stroke: var(--fail); stroke-width: 2; }
.runs { stroke: var(--tone); stroke-width: 7; opacity: .45; }
.digital .plot { height: 30px; } .quiet .plot { height: 21px; }
.analogue .plot { height: 92px; } .task .plot { height: 26px; }
.bus .plot { height: 46px; } .lanes .plot { height: calc(25px * var(--lanes) + 5px); }
.lanes .name { align-items: flex-start; padding-top: 6px; }
.hurt { position: absolute; top: 0; bottom: 0; min-width: 2px; opacity: .75; background:
  repeating-linear-gradient(135deg, var(--fault-back) 0 5px, transparent 5px 9px);
  border: solid var(--fault); border-width: 0 1px; }
.span { position: absolute; height: 21px; overflow: hidden; white-space: nowrap;
  text-overflow: ellipsis; font-size: .82rem; line-height: 21px; padding-left: 6px;
  color: var(--tone); font-weight: 600; }
.span i { position: absolute; inset: 0 auto 0 0; min-width: 3px; z-index: -1;
  border-left: 3px solid var(--tone); background: var(--back); border-radius: 2px; }
.span { z-index: 0; } .span.pass { --tone: var(--pass); --back: var(--pass-back); }
.span.fail { --tone: var(--fail); --back: var(--fail-back); }
.span.fault { --tone: var(--fault); --back: var(--fault-back); }
.span.note { --tone: var(--soft); --back: transparent; font-weight: 400; }
.span.frame { height: 18px; line-height: 18px; font-weight: 400; font-size: .76rem;
  --back: transparent; } .span.frame i { border-left-width: 2px; }
.span.frame.bad { --tone: var(--fail); font-weight: 600; }
footer { color: var(--soft); font-size: .86rem; margin-top: .7rem; }
footer .keys { display: none; } .live footer .keys { display: block; }
footer kbd { font: inherit; font-size: .8rem; border: 1px solid var(--line); border-radius: 3px;
  padding: 0 .3rem; background: var(--card); color: var(--ink); }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media screen and (max-width: 46rem) { :root { --scale: 0rem; }
  main { --names: 0rem; padding: .7rem; }
  .row { grid-template-columns: minmax(0, 1fr); } .name { height: 20px; padding-right: .7rem;
    font-size: .84rem; } .scale { display: none; } .lanes .name { padding-top: 0;
    align-items: center; } .row.axis .name { display: none; } .plot { border-left: 0; }
  .analogue .plot { height: 72px; } .digital .plot { height: 24px; } }
@media print { :root { --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb;
    --grid: #e4e4e4; --in: #5b2fa8; --out: #0a4fa3; --pass: #11613a; --pass-back: #dcf2e5;
    --fail: #b3161e; --fail-back: #fde4e4; --fault: #8a4a00; --fault-back: #ffedd1;
    --task: #444; --bus: #055a62; --band: rgba(196,38,46,.08); }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main { padding: 0; max-width: none; } :root { font-size: 12px; } body { font-size: 11px; }
  .tools, .live .tools, .live footer .keys { display: none; }
  .row, article { break-inside: avoid; }
  .row.axis { position: relative; } }
"""
