/* The two charts over time: throughput, and latency with the messages whose lives are in the report. */

const AXIS_WIDE = 108;
const AXIS_NARROW = 68;

function axisSize() {
  return narrow() ? AXIS_NARROW : AXIS_WIDE;
}

function letter(number) {
  return number < 26 ? String.fromCharCode(65 + number) : `${letter(Math.floor(number / 26) - 1)}${letter(number % 26)}`;
}

/* The windows in which any fault was on, overlapping ones as one: [from, until]. */
function faultWindows(data) {
  const windows = [];
  for (const fault of data.faults) {
    const until = fault.healed ?? data.length_ms;
    const last = windows[windows.length - 1];
    if (last && fault.began <= last[1]) last[1] = Math.max(last[1], until);
    else windows.push([fault.began, until]);
  }
  return windows;
}

/* Shades the fault windows of a chart, with the letter that the lanes explain. */
function shadeFaults(view, chart) {
  const { ctx, bbox } = chart;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `600 ${10 * scale}px system-ui, sans-serif`;
  ctx.textBaseline = "top";
  ctx.fillStyle = colour("fault-shade");
  for (const [began, healed] of faultWindows(view.data)) {
    const x = chart.valToPos(began, "x", true);
    ctx.fillRect(x, bbox.top, Math.max(chart.valToPos(healed, "x", true) - x, scale), bbox.height);
  }
  let last = -Infinity;
  let line = 0;
  view.data.faults.forEach((fault, number) => {
    const from = chart.valToPos(fault.began, "x", true);
    const until = chart.valToPos(fault.healed ?? view.data.length_ms, "x", true);
    ctx.strokeStyle = colour("fault");
    ctx.lineWidth = scale;
    ctx.setLineDash([3 * scale, 3 * scale]);
    for (const edge of [from, until]) {
      ctx.beginPath();
      ctx.moveTo(edge, bbox.top);
      ctx.lineTo(edge, bbox.top + bbox.height);
      ctx.stroke();
    }
    line = from - last < 14 * scale ? line + 1 : 0;
    last = from;
    ctx.fillStyle = colour("fault");
    ctx.fillText(letter(number), from + 3 * scale, bbox.top + (3 + 12 * line) * scale);
  });
  ctx.restore();
}

/* Lines where the selected message did something. */
function markLife(view, chart) {
  const life = view.life();
  if (!life) return;
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = colour("selected");
  ctx.lineWidth = devicePixelRatio;
  ctx.globalAlpha = 0.7;
  for (const event of life.events) {
    const at = chart.valToPos(event[0], "x", true);
    if (at < bbox.left || at > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(at, bbox.top);
    ctx.lineTo(at, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

function times(data) {
  return Array.from({ length: data.buckets }, (_, number) => number * data.bucket_ms);
}

/* What both charts have in common. */
function chartOptions(view, more) {
  const axis = {
    stroke: () => colour("faint"),
    grid: { stroke: () => colour("line"), width: 1 },
    ticks: { stroke: () => colour("line"), width: 1, size: 4 },
    font: "11px system-ui, sans-serif",
  };
  return {
    width: view.width(),
    height: more.height,
    scales: { x: { time: false, range: () => view.range }, y: more.scale },
    legend: { live: true, markers: { width: 3 } },
    cursor: { sync: { key: `time-${view.number}` }, drag: { x: true, y: false }, points: { size: 6 } },
    padding: [8, 12, 0, 0],
    axes: [
      { ...axis, size: 26, values: (_, ticks) => ticks.map((ms) => `${+(ms / 1000).toFixed(3)} s`) },
      { ...axis, size: axisSize(), values: more.values, splits: more.splits, filter: more.splits && ((_, ticks) => ticks) },
    ],
    series: [{ label: "at", value: (_, ms) => (ms === null ? "–" : `${(ms / 1000).toFixed(2)} s`) }, ...more.series],
    bands: more.bands || [],
    hooks: {
      drawClear: [(chart) => shadeFaults(view, chart)],
      draw: [(chart) => markLife(view, chart), ...(more.draw || [])],
      setSelect: [
        (chart) => {
          const { left, width } = chart.select;
          if (width > 4) view.zoom(chart.posToVal(left, "x"), chart.posToVal(left + width, "x"));
          chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        },
      ],
    },
  };
}

const THROUGHPUT = [
  ["acknowledged", "acknowledged", "one", null],
  ["delivered", "delivered", "two", [6, 3]],
  ["again", "delivered again", "three", null],
  ["refused", "refused", "bad", null],
  ["unknown", "fate unknown", "four", null],
  ["requests", "other requests", "faint", [1, 3]],
];

/* What should not happen all the time is drawn as bars: one at a time is seen too. */
const BARS = new Set(["again", "refused", "unknown"]);

function throughput(view) {
  const { data } = view;
  const shown = THROUGHPUT.filter(([name]) => data.series[name]);
  if (!shown.length) return null;
  const perSecond = 1000 / data.bucket_ms;
  const series = shown.map(([name, label, tint, dash]) => ({
    label,
    stroke: () => colour(tint),
    width: BARS.has(name) ? 0 : name === "requests" ? 1 : 1.75,
    dash: dash || undefined,
    fill: name === "acknowledged" ? () => colour("one-fill") : BARS.has(name) ? () => colour(tint) : undefined,
    show: name !== "requests" || shown.length === 1,
    points: { show: false },
    paths: BARS.has(name) ? uPlot.paths.bars({ size: [0.6, 12], align: 1 }) : uPlot.paths.stepped({ align: 1 }),
    value: (_, number) => (number === null ? "–" : `${Math.round(number)}/s`),
  }));
  const options = chartOptions(view, {
    height: narrow() ? 150 : 170,
    scale: { range: (_, low, high) => [0, Math.max(1, high * 1.08)] },
    values: (_, ticks) => ticks.map((number) => `${number.toLocaleString("en")}/s`),
    series,
  });
  return [options, [times(data), ...shown.map(([name]) => data.series[name].map((count) => count * perSecond))]];
}

const LATENCY = [
  ["send_p95", "send 95 %", "one", null],
  ["send_p50", "send 50 %", "one", null],
  ["trip_p95", "to delivery 95 %", "two", [6, 3]],
  ["trip_p50", "to delivery 50 %", "two", [6, 3]],
];

function latency(view) {
  const { data } = view;
  const shown = LATENCY.filter(([name]) => data.series[name]);
  if (!shown.length) return null;
  const names = shown.map(([name]) => name);
  const series = shown.map(([name, label, tint, dash]) => ({
    label,
    stroke: () => colour(tint),
    width: name.endsWith("50") ? 1.75 : 1,
    dash: dash || undefined,
    points: { show: true, size: 3.5, width: 1 },
    spanGaps: false,
    value: (_, ms) => (ms === null || ms === undefined ? "–" : duration(ms)),
  }));
  const bands = ["send", "trip"]
    .filter((kind) => names.includes(`${kind}_p95`) && names.includes(`${kind}_p50`))
    .map((kind) => ({
      series: [names.indexOf(`${kind}_p95`) + 1, names.indexOf(`${kind}_p50`) + 1],
      fill: () => colour(kind === "send" ? "one-fill" : "two-fill"),
    }));
  const values = names.flatMap((name) => data.series[name]).filter((ms) => ms > 0);
  for (const spot of view.spots) if (spot.took > 0) values.push(spot.took);
  const low = 10 ** Math.floor(Math.log10(Math.max(0.1, Math.min(...values))));
  const high = 10 ** Math.ceil(Math.log10(Math.max(10, ...values) * 1.01));
  const options = chartOptions(view, {
    height: narrow() ? 180 : 220,
    scale: { distr: 3, range: () => [low, high] },
    values: (_, ticks) => ticks.map(briefly),
    splits: () => decades(low, high),
    series,
    bands,
    draw: [(chart) => drawSpots(view, chart, high)],
  });
  const curves = names.map((name) => data.series[name].map((ms) => (ms === null ? null : Math.max(ms, low))));
  return [options, [times(data), ...curves]];
}

function decades(low, high) {
  const found = [];
  for (let ms = low; ms <= high * 1.001; ms *= 10) found.push(Number(ms.toPrecision(3)));
  return found;
}

function briefly(ms) {
  return ms < 1000 ? `${ms} ms` : `${ms / 1000} s`;
}

/* One mark for each message with a life: circle acknowledged, cross refused, question mark unknown, diamond evidence. */
function drawSpots(view, chart, high) {
  const { ctx, bbox } = chart;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height + 4 * scale);
  ctx.clip();
  for (const spot of view.spots) {
    const x = chart.valToPos(spot.at, "x", true);
    const y = chart.valToPos(Math.min(Math.max(spot.took, chart.scales.y.min), high), "y", true);
    spot.x = x / scale;
    spot.y = y / scale;
    drawShape(ctx, spot.shape, x, y, (spot.evidence ? 5 : 3.5) * scale, colour(spot.evidence ? "bad" : spot.tint), scale);
    if (spot.message === view.selected) {
      ctx.strokeStyle = colour("selected");
      ctx.lineWidth = 2 * scale;
      ctx.beginPath();
      ctx.arc(x, y, 9 * scale, 0, 2 * Math.PI);
      ctx.stroke();
    }
  }
  ctx.restore();
}

function drawShape(ctx, shape, x, y, size, tint, scale) {
  ctx.strokeStyle = tint;
  ctx.fillStyle = tint;
  ctx.lineWidth = 1.5 * scale;
  ctx.setLineDash([]);
  ctx.beginPath();
  if (shape === "circle") ctx.arc(x, y, size, 0, 2 * Math.PI);
  else if (shape === "dot") ctx.arc(x, y, size * 0.7, 0, 2 * Math.PI);
  else if (shape === "square") ctx.rect(x - size * 0.7, y - size * 0.7, size * 1.4, size * 1.4);
  else if (shape === "cross") {
    ctx.moveTo(x - size, y - size);
    ctx.lineTo(x + size, y + size);
    ctx.moveTo(x + size, y - size);
    ctx.lineTo(x - size, y + size);
  } else if (shape === "plus") {
    ctx.moveTo(x - size, y);
    ctx.lineTo(x + size, y);
    ctx.moveTo(x, y - size);
    ctx.lineTo(x, y + size);
  } else {
    const down = shape === "down" ? -1 : 1;
    ctx.moveTo(x, y - size * 1.1 * down);
    ctx.lineTo(x + size, shape === "diamond" ? y : y + size * 0.8 * down);
    if (shape === "diamond") ctx.lineTo(x, y + size * 1.1);
    ctx.lineTo(x - size, shape === "diamond" ? y : y + size * 0.8 * down);
    ctx.closePath();
  }
  if (["dot", "square", "diamond", "down", "up"].includes(shape)) ctx.fill();
  else ctx.stroke();
}
