/* Order picture of one group and queue: offset against time of delivery, a shape for each consumer. */

const SHAPES = ["dot", "square", "diamond", "down", "circle", "plus", "up"];
const TINTS = ["one", "two", "three", "four", "five", "six"];

function orderTitle(picture) {
  const strange = [picture.disorder ? `${picture.disorder} out of order` : "", picture.again ? `${picture.again} again` : ""].filter(Boolean);
  return `${picture.group}: ${picture.topic} ${picture.broker}/${picture.queue} (${[many(picture.deliveries, "delivery").replace("deliverys", "deliveries"), ...strange].join(", ")})`;
}

function pointsOf(picture) {
  const points = [];
  const marks = new Map(picture.mark);
  let at = 0;
  let offset = 0;
  picture.at.forEach((step, number) => {
    at += step;
    offset += picture.offset[number];
    points.push({ at, offset, who: picture.who[number], mark: marks.get(number) || 0 });
  });
  return points;
}

function orderChart(view, picture) {
  const points = pointsOf(picture);
  const offsets = points.map((point) => point.offset);
  const span = [Math.min(...offsets), Math.max(...offsets)];
  const room = Math.max(1, (span[1] - span[0]) * 0.06);
  const options = chartOptions(view, {
    height: narrow() ? 220 : 260,
    scale: { range: () => [span[0] - room, span[1] + room] },
    values: (_, ticks) => ticks.map((offset) => (Number.isInteger(offset) ? String(offset) : "")),
    series: [{ label: "offset", show: true, stroke: "transparent", points: { show: false }, paths: () => null, value: (_, offset) => offset ?? "–" }],
    draw: [(chart) => drawPoints(view, chart, points)],
  });
  options.legend = { show: false };
  return [options, [points.map((point) => point.at), offsets], points];
}

function drawPoints(view, chart, points) {
  const { ctx, bbox } = chart;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const point of points) {
    const x = chart.valToPos(point.at, "x", true);
    const y = chart.valToPos(point.offset, "y", true);
    point.x = x / scale;
    point.y = y / scale;
    drawShape(ctx, SHAPES[point.who % SHAPES.length], x, y, 3.5 * scale, colour(TINTS[point.who % TINTS.length]), scale);
    if (point.mark === 1) drawShape(ctx, "circle", x, y, 6 * scale, colour("four"), scale);
    if (point.mark === 2) drawShape(ctx, "cross", x, y, 6 * scale, colour("bad"), scale);
  }
  ctx.restore();
}

function shapeIcon(shape, tint) {
  const canvas = el("canvas", { width: 32, height: 32, class: "shape", "aria-hidden": "true" });
  const draw = () => {
    const ctx = canvas.getContext("2d");
    ctx.clearRect(0, 0, 32, 32);
    drawShape(ctx, shape, 16, 16, 8, colour(tint), 2);
  };
  draw();
  repainted.add(draw);
  return canvas;
}

function orderLegend(picture) {
  const entries = picture.members.map((member, number) => [SHAPES[number % SHAPES.length], TINTS[number % TINTS.length], member || "unknown consumer"]);
  if (picture.again) entries.push(["circle", "four", "delivered again"]);
  if (picture.disorder) entries.push(["cross", "bad", "out of order: first delivered after a higher offset"]);
  return el("div", { class: "legend" }, ...entries.map(([shape, tint, text]) => el("span", {}, shapeIcon(shape, tint), text)));
}
