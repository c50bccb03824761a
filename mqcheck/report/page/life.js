/* The life of one message: the steps it took, and everything recorded about it in order of time. */

const GOOD = new Set(["ok", "success", "commit", "again"]);
const KINDS = {
  send: "sent",
  attempt: "request",
  delivered: "delivered",
  result: "listener said",
  "send-back": "sent back",
  "pop-ack": "acknowledged by consumer",
  "change-invisible": "hidden longer",
  committed: "offset committed",
  "read back": "read back",
  "on disk": "on disk after the cut",
  transaction: "transaction",
  check: "broker asked",
};

/* An event as words: {at, until, kind, who, place, outcome, note, bad}. */
function eventOf(data, event) {
  const [kind, who, place, outcome, note] = event.slice(2).map((number) => (number < 0 ? "" : data.words[number]));
  return { at: event[0], until: event[1], kind, who, place, outcome, note, bad: Boolean(outcome) && !GOOD.has(outcome) };
}

/* The steps that a message should take, each with what happened: [name, sign, text]. */
function stepsOf(life) {
  const events = life.told;
  const of = (kind) => events.filter((event) => event.kind === kind);
  const groups = (some) => [...new Set(some.map((event) => event.who.split(" ")[0]))];
  const steps = [];
  const sends = of("send");
  const attempts = of("attempt");
  if (sends.length) steps.push(["sent", "✓", `${sends[0].who} to ${sends[0].place}${attempts.length > 1 ? `, ${attempts.length} requests` : ""}`]);
  const fates = sends.map((event) => event.outcome);
  if (fates.includes("ok")) steps.push(["acknowledged", "✓", duration(sends[0].until - sends[0].at)]);
  else if (fates.length) steps.push(["acknowledged", fates.includes("unknown") ? "?" : "✗", fates[0] === "unknown" ? "nobody knows: no answer" : fates[0]]);
  const stored = attempts.filter((event) => event.outcome === "ok" && /offset/.test(event.note));
  if (stored.length) steps.push(["stored", "✓", stored.map((event) => `${event.place} ${event.note.split(",")[0]}`).join("; ")]);
  const delivered = of("delivered");
  const again = delivered.filter((event) => event.outcome === "again").length;
  steps.push(["delivered", delivered.length ? "✓" : "–", delivered.length ? `to ${groups(delivered).join(", ")}${again ? `, ${again} more than once` : ""}` : "to nobody"]);
  const results = of("result");
  const failed = results.filter((event) => event.outcome !== "success").length;
  if (results.length) steps.push(["consumed", failed === results.length ? "✗" : "✓", failed ? `${failed} of ${results.length} not: ${results.find((event) => event.outcome !== "success").outcome}` : "success"]);
  if (again) steps.push(["redelivered", "↻", `${again} times`]);
  const committed = of("committed");
  if (delivered.length) steps.push(["committed", committed.length ? "✓" : "–", committed.length ? `by ${groups(committed).join(", ")}` : "by nobody"]);
  const read = of("read back");
  const missing = read.filter((event) => event.outcome === "missing");
  if (missing.length) steps.push(["read back", "✗", `not there: ${missing[0].place}, ${missing[0].note}`]);
  else if (read.length) steps.push(["read back", "✓", `${read[0].place}${read.length > 1 ? ` and ${read.length - 1} more` : ""}`]);
  return steps;
}

function lifePanel(view) {
  const life = view.life();
  const panel = el("section", { class: "life", tabindex: "-1", "aria-live": "polite" });
  if (!life) {
    panel.append(el("p", { class: "faint" }, view.spots.length
      ? "Choose a message above, or click a mark in the latency chart, to see its life."
      : "No message was sent in this scenario."));
    return panel;
  }
  const head = Object.entries(life.head).filter(([name]) => name !== "sends").map(([name, value]) => `${name.replace("_", " ")} ${value === true ? "yes" : value}`);
  const steps = el("ol", { class: "steps" });
  for (const [name, sign, text] of stepsOf(life)) {
    const tint = { "✓": "held", "✗": "violated", "?": "inconclusive", "↻": "unpromised" }[sign] || "inapplicable";
    steps.append(el("li", {}, el("span", { class: `mark ${tint}` }, sign), el("span", {}, el("b", {}, name), " ", el("span", { class: "faint" }, text))));
  }
  const body = el("tbody", {});
  let before = null;
  for (const told of life.told) {
    const gap = before === null ? "" : `+${duration(told.at - before)}`;
    before = told.at;
    body.append(
      el("tr", { class: told.bad ? "bad" : "" },
        el("td", { class: "number" }, `${told.at.toFixed(1)} ms`),
        el("td", { class: "number faint gap" }, gap),
        el("td", {}, KINDS[told.kind] || told.kind),
        el("td", { class: "mono" }, told.who),
        el("td", { class: "mono" }, told.place),
        el("td", {}, told.outcome ? `${told.bad ? "✗" : told.outcome === "again" ? "↻" : "✓"} ${told.outcome}` : ""),
        el("td", { class: "faint" }, [told.until === null ? "" : `took ${duration(told.until - told.at)}`, told.note].filter(Boolean).join(", "))));
  }
  panel.append(
    el("div", { class: "life-head" },
      el("h4", {}, `Message ${view.selected}`, view.evidence.has(view.selected) ? el("span", { class: "pill violated" }, "✗ in evidence") : ""),
      el("span", { class: "buttons" },
        el("button", { type: "button", on: { click: () => view.zoomOnto() } }, "zoom to it"), " ",
        el("button", { type: "button", class: "close", on: { click: () => view.select(null) } }, "close"))),
    el("p", { class: "faint" }, head.join(" · ")),
    steps,
    el("div", { class: "scroll" },
      el("table", { class: "events" },
        el("thead", {}, el("tr", {}, ...["at", "after", "what", "who", "where", "outcome", "more"].map((text, number) => el("th", { class: number < 2 ? "number" : "" }, text)))),
        body)));
  if (life.cut) panel.append(el("p", { class: "faint" }, `${many(life.cut, "event")} in the middle left out; all are in the run's folder.`));
  return panel;
}
