"""What makes the timeline move: it draws the rows again for another part of the recording. Plain
JavaScript, without any library; where a browser cannot run it, the page stays as it is."""

from __future__ import annotations

SCRIPT = r"""
"use strict";
(async () => {
const $ = id => document.getElementById(id);
const packed = Uint8Array.from(atob($("data").textContent), c => c.charCodeAt(0));
const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
const data = await new Response(stream).json();
const WIDTH = 1000, TEXTS_OF_FRAMES = 24, LEAST_NS = 20;
const chart = $("chart"), over = document.querySelector(".over");
const rows = {};
document.querySelectorAll("[data-row]").forEach(e => { rows[e.dataset.row] = e; });
let [begin, end] = data.view, cursor = data.cursor, mark = null, shownFailure = 0;

for (const s of data.signals) sums(s.t);
for (const t of data.tasks) sums(t.t);
const edges = [...new Set(data.signals.filter(s => s.digital).flatMap(s => s.t))]
  .sort((a, b) => a - b);
const failures = data.checks.filter(c => c[3] === "fail");

function sums(differences) {
  for (let k = 1; k < differences.length; k++) differences[k] += differences[k - 1];
}
function above(times, t) {  // how many of the times are not after t
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= t) low = middle + 1; else high = middle;
  }
  return low;
}
const short = x => x.toFixed(1).replace(/\.0$/, "");
const atX = t => (t - begin) * WIDTH / (end - begin);
const percent = t => 100 * (t - begin) / (end - begin);

function timeText(ns) {
  const whole = Math.floor(ns / 1e9);
  let digits = String(Math.round(ns - whole * 1e9)).padStart(9, "0");
  while (digits.length > 3 && digits.endsWith("000")) digits = digits.slice(0, -3);
  return `${whole}.${digits} s`;
}
function spanText(ns) {
  for (const [limit, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]])
    if (Math.abs(ns) >= limit) return `${+(ns / limit).toPrecision(6)} ${unit}`;
  return `${ns} ns`;
}
function numberText(x) {
  return Math.abs(x) >= 1e5 && Math.abs(x) < 1e9 ? x.toFixed(0) : String(+x.toPrecision(5));
}
function valueText(s, value) {
  if (value === undefined) return "–";
  if (value === null) return "open";
  if (s.digital) return value ? "high" : "low";
  return numberText(value) + (s.unit ? " " + s.unit : "");
}
function ticks() {
  const most = Math.max(2, Math.floor($("axis").clientWidth / 95));
  let step = 1;
  for (let size = 1; ; size *= 10) {
    const factor = [1, 2, 5].find(f => end - begin <= f * size * most);
    if (factor) { step = factor * size; break; }
  }
  const first = Math.ceil(begin / step) * step, made = [];
  const decimals = Math.max(0, 9 - String(step).length + 1);
  for (let t = first; t <= end; t += step) {
    let label = (t / 1e9).toFixed(decimals) + " s";
    if (step < 1e6) label = t === first
      ? (t / 1e9).toFixed(9).replace(/0+$/, "") + " s" : "+" + spanText(t - first);
    made.push([t, label]);
  }
  return made;
}
function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}
function place(made, from, to) {
  const left = Math.max(0, percent(from));
  made.style.left = left + "%";
  made.style.width = Math.max(0, Math.min(200, percent(to)) - left) + "%";
  return made;
}

// The same as geometry.trace of the package that has written this page.
function trace(s) {
  const stop = Math.min(end, data.end), [lowest, highest] = s.scale, {t, v} = s;
  const y = value => short(100 * (highest - value) / (highest - lowest));
  let line = "", area = "", gaps = "", run = "", since = 0;
  const close = x => {
    line += `${run}H${short(x)}`;
    area += `${run}H${short(x)}V100H${run.slice(1).split(" ")[0]}Z`;
  };
  let k = above(t, begin), known = k > 0, value = known ? v[k - 1] : null;
  if (value !== null) run = `M0 ${y(value)}`;
  while (k < t.length && t[k] <= stop) {
    const column = Math.floor(atX(t[k]));
    let last = k + 1, low = v[k], high = v[k], first = v[k];
    while (last < t.length && t[last] <= stop && Math.floor(atX(t[last])) === column) {
      const next = v[last++];
      if (next === null) continue;
      if (first === null) first = next;
      if (low === null || next < low) low = next;
      if (high === null || next > high) high = next;
    }
    const x = last === k + 1 ? atX(t[k]) : Math.min(column + 0.5, WIDTH);
    if (value !== null && first !== null) run += `H${short(x)}`;
    else if (first !== null) {
      if (known) gaps += `M${short(since)} 50H${short(x)}`;
      run = `M${short(x)} ${y(first)}`;
    }
    if (last > k + 1 && first !== null) run += `V${y(low)}V${y(high)}`;
    value = v[last - 1];
    if (value !== null) run += `V${y(value)}`;
    else if (run) { close(x); run = ""; since = x; }
    else since = known ? since : x;
    known = true;
    k = last;
  }
  const right = atX(Math.max(stop, begin));
  if (value !== null) close(right);
  else if (known && right > since) gaps += `M${short(since)} 50H${short(right)}`;
  return [line, area, gaps];
}
function columns(times) {
  const found = new Map();
  for (let k = above(times, begin - 1); k < times.length && times[k] <= end; k++) {
    const x = atX(times[k]);
    if (!found.has(Math.floor(x))) found.set(Math.floor(x), [x, k]);
  }
  return [...found.values()];
}
function drawSignal(s, k) {
  const plot = rows["s" + k], [line, area, gaps] = trace(s);
  plot.querySelector(".line").setAttribute("d", line);
  plot.querySelector(".area").setAttribute("d", area);
  plot.querySelector(".open").setAttribute("d", gaps);
  plot.querySelectorAll(".hurt").forEach(e => e.remove());
  for (const [from, to] of s.faults)
    if (from <= end && to >= begin) plot.prepend(place(element("div", "hurt"), from, to));
}
function drawTask(task, k) {
  const plot = rows["t" + k], found = columns(task.t);
  let runs = "";
  for (const [, n] of found)
    if (task.d[n]) runs += `M${atX(task.t[n] + task.l[n]).toFixed(2)} 60h${
      (task.d[n] * WIDTH / (end - begin)).toFixed(2)}`;
  plot.querySelector(".marks").setAttribute("d",
    found.map(([x]) => `M${x.toFixed(1)} 15V85`).join(""));
  plot.querySelector(".runs").setAttribute("d", runs);
}
function drawBus(bus, k) {
  const plot = rows["b" + k];
  const seen = bus.f.filter(f => f[0] >= begin && f[0] <= end);
  for (const good of [true, false]) {
    let d = "";
    for (const [to, top, bottom] of [[true, 4, 48], [false, 54, 98]])
      for (const [x] of columns(seen.filter(f => f[2] === good && f[1] === to).map(f => f[0])))
        d += `M${x.toFixed(1)} ${top}V${bottom}`;
    plot.querySelector(good ? ".marks" : ".marks.bad").setAttribute("d", d);
  }
  plot.querySelectorAll(".span").forEach(e => e.remove());
  if (seen.length > TEXTS_OF_FRAMES) return;
  seen.forEach((f, n) => {
    const later = seen.slice(n + 1).find(g => g[1] === f[1]);
    const made = element("div", "span frame bus" + (f[2] ? "" : " bad"));
    made.append(element("i"), f[3]);
    made.title = `${f[3]} (${timeText(f[0])})`;
    made.style.top = (f[1] ? 3 : 24) + "px";
    plot.append(place(made, f[0], later ? later[0] : end));
  });
}
function drawSpans(key) {
  const plot = rows[key], following = {}, made = [];
  if (!plot) return;
  for (let k = data[key].length - 1; k >= 0; k--) {
    const [from, to, lane, kind, text] = data[key][k];
    const room = Math.max(to, lane in following ? following[lane] : end);
    following[lane] = from;
    if (from > end || to < begin) continue;
    const cell = element("div", "span " + kind), bar = element("i"), left = Math.max(from, begin);
    bar.style.width = Math.min(100, 100 * (to - left) / Math.max(1, room - left)) + "%";
    cell.append(bar, ({pass: "✓ ", fail: "✗ "}[kind] || "") + text);
    cell.title = `${text} (${timeText(from)}${from === to ? "" : " to " + timeText(to)})`;
    cell.style.top = 25 * lane + 4 + "px";
    made.unshift(place(cell, from, room));
  }
  plot.replaceChildren(...made);
}
function drawCursor() {
  const line = $("cursor"), at = percent(cursor);
  line.style.left = at + "%";
  line.className = at > 85 ? "left" : "";
  line.hidden = at < 0 || at > 100;
  line.firstChild.textContent = timeText(cursor);
  data.signals.forEach((s, k) => {
    $("v" + k).textContent = valueText(s, s.v[above(s.t, cursor) - 1]);
  });
  data.tasks.forEach((task, k) => {
    const n = above(task.t, cursor) - 1;
    $("t" + k).textContent = n >= 0 && task.d[n] ? spanText(task.d[n]) : "";
    $("t" + k).title = n < 0 ? "" : `released at ${timeText(task.t[n])}, began ${
      spanText(task.l[n])} later, took ${spanText(task.d[n])}`;
  });
  over.querySelectorAll(".mark").forEach(e => e.remove());
  let reading = "";
  if (mark !== null) {
    const made = element("i", "mark");
    made.style.left = percent(mark) + "%";
    over.append(made);
    reading = `${spanText(Math.abs(cursor - mark))} ${
      cursor < mark ? "before" : "after"} ${timeText(mark)}`;
  }
  $("reading").textContent = reading;
}
function draw() {
  const marks = ticks();
  $("axis").replaceChildren(...marks.map(([t, label]) => {
    const made = element("b", "", label);
    made.style.left = percent(t) + "%";
    return made;
  }));
  const bands = failures.filter(c => c[0] <= end && c[1] >= begin)
    .map(c => place(element("i", "band"), c[0], c[1]));
  $("under").replaceChildren(...marks.map(([t]) => {
    const made = element("i");
    made.style.left = percent(t) + "%";
    return made;
  }), ...bands);
  ["checks", "faults", "notes"].forEach(drawSpans);
  data.signals.forEach(drawSignal);
  data.tasks.forEach(drawTask);
  data.buses.forEach(drawBus);
  const window = $("map").lastElementChild;
  window.style.left = 100 * begin / data.end + "%";
  window.style.width = 100 * (end - begin) / data.end + "%";
  drawCursor();
}
let waiting = null;
function later(what) {  // with the next frame, once; `draw` does what `drawCursor` does, too
  if (waiting === null) requestAnimationFrame(() => {
    const due = waiting;
    waiting = null;
    due();
  });
  if (waiting !== draw) waiting = what;
}
function show(from, to) {
  const wide = Math.min(data.end, Math.max(LEAST_NS, Math.round(to - from)));
  begin = Math.round(Math.min(data.end - wide, Math.max(0, from)));
  end = begin + wide;
  later(draw);
}
function zoom(factor, about) {
  show(about - (about - begin) * factor, about + (end - about) * factor);
}
function inView(t) { return t >= begin && t <= end; }
function middle() { return inView(cursor) ? cursor : (begin + end) / 2; }
function goTo(t) {
  cursor = t;
  if (inView(t)) later(draw); else show(t - (end - begin) / 2, t + (end - begin) / 2);
  const names = data.signals.filter(s => s.digital && s.t[above(s.t, t) - 1] === t)
    .map(s => `${s.name} ${valueText(s, s.v[above(s.t, t) - 1])}`);
  $("said").textContent = `${timeText(t)}: ${names.join(", ")}`;
}
const actions = {
  in: () => zoom(0.5, middle()),
  out: () => zoom(2, middle()),
  all: () => show(0, data.end),
  left: () => show(begin - (end - begin) / 10, end - (end - begin) / 10),
  right: () => show(begin + (end - begin) / 10, end + (end - begin) / 10),
  failure: () => {
    if (!failures.length) return;
    const [from, to, , , text] = failures[shownFailure++ % failures.length];
    const wide = Math.max(to - from, data.end / 200);
    cursor = to;
    show(from - 1.5 * wide, to + wide);
    $("said").textContent = `failed: ${text}`;
  },
  before: () => { const k = above(edges, cursor - 1); if (k) goTo(edges[k - 1]); },
  after: () => { const k = above(edges, cursor); if (k < edges.length) goTo(edges[k]); },
  mark: () => { mark = mark === null ? cursor : null; later(draw); },
  stop: () => { mark = null; later(draw); },
};
const keys = {"+": "in", "=": "in", "-": "out", "0": "all", Home: "all", ArrowLeft: "left",
  ArrowRight: "right", f: "failure", p: "before", n: "after", m: "mark", Escape: "stop"};

chart.addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || !(e.key in keys)) return;
  actions[keys[e.key]]();
  e.preventDefault();
});
document.querySelectorAll("[data-do]").forEach(b =>
  b.addEventListener("click", () => actions[b.dataset.do]()));
function timeAt(e) {
  const box = over.getBoundingClientRect();
  return begin + (e.clientX - box.left) / box.width * (end - begin);
}
let drag = null;
chart.addEventListener("wheel", e => {
  if (!e.target.closest(".plot")) return;
  e.preventDefault();
  const across = Math.abs(e.deltaX) > Math.abs(e.deltaY) ? e.deltaX : e.shiftKey ? e.deltaY : 0;
  const shift = across / over.clientWidth * (end - begin);
  if (across) show(begin + shift, end + shift);
  else zoom(Math.exp(Math.max(-1, Math.min(1, e.deltaY / 300))), timeAt(e));
}, {passive: false});
chart.addEventListener("pointerdown", e => {
  if (e.button || !e.target.closest(".plot")) return;
  drag = {x: e.clientX, begin, end, moved: false};
});
window.addEventListener("pointermove", e => {
  if (drag) {
    const shift = (drag.x - e.clientX) / over.clientWidth * (drag.end - drag.begin);
    drag.moved = drag.moved || Math.abs(drag.x - e.clientX) > 3;
    if (drag.moved) show(drag.begin + shift, drag.end + shift);
  } else if (e.target.closest && e.target.closest("#chart .plot")) {
    cursor = Math.round(Math.min(data.end, Math.max(0, timeAt(e))));
    later(drawCursor);
  }
});
window.addEventListener("pointerup", e => {
  if (drag && !drag.moved) { cursor = mark = Math.round(timeAt(e)); later(draw); }
  drag = null;
});
$("map").addEventListener("pointerdown", e => {
  const box = $("map").getBoundingClientRect();
  const t = (e.clientX - box.left) / box.width * data.end, half = (end - begin) / 2;
  show(t - half, t + half);
});
window.addEventListener("resize", () => later(draw));
document.body.classList.add("live");
draw();
})().catch(error => {
  document.querySelector("footer").append("The page cannot be moved here: " + error.message);
});
"""
