/* The timeline of one scenario: charts, lanes, a message's life, order pictures; built when it is first opened. */

const views = new Map();

class View {
  constructor(holder, number) {
    this.holder = holder;
    this.number = number;
    this.data = dataOf(`timeline-${number}`);
    this.selected = null;
    this.charts = [];
    if (!this.data || this.data.trouble) {
      holder.replaceChildren(el("p", { class: "faint" }, this.data ? this.data.trouble : "Nothing was recorded that could be drawn."));
      this.data = null;
      return;
    }
    this.evidence = new Set((this.data.evidence || []).map(String));
    this.range = [0, this.data.length_ms];
    this.spots = spotsOf(this);
    this.byPlace = null;
    this.lanes = lanesOf(this);
    this.build();
    repainted.add(() => this.draw());
    new ResizeObserver(() => this.resized()).observe(holder);
  }

  width() {
    return Math.max(280, Math.floor(this.holder.clientWidth));
  }

  life() {
    const life = this.selected === null ? null : this.data.messages[this.selected];
    if (life && !life.told) {
      life.told = life.events.map((event) => eventOf(this.data, event));
      life.producer = (life.told.find((event) => event.kind === "send") || {}).who;
    }
    return life || null;
  }

  event(event) {
    return eventOf(this.data, event);
  }

  build() {
    this.toolbar = toolbarOf(this);
    this.plots = el("div", { class: "plots" });
    this.lanesHolder = el("div", { class: "lanes-holder" });
    this.lifeHolder = el("div", { class: "life-holder" });
    this.orders = el("div", { class: "orders" });
    this.holder.replaceChildren(this.toolbar, this.plots, this.lanesHolder, this.lifeHolder, this.orders, leftOut(this.data));
    this.addChart("throughput", throughput(this));
    this.addChart("latency", latency(this));
    this.lanesHolder.addEventListener("mousemove", (event) => {
      const told = event.target.dataset && event.target.dataset.tip;
      if (told) showTip(told, event);
      else hideTip();
    });
    this.lanesHolder.addEventListener("mouseleave", hideTip);
    this.drawn = this.width();
    this.drawRest();
    if (this.data.orders.length) this.buildOrders();
  }

  addChart(kind, made) {
    if (!made) return;
    const [options, values] = made;
    const holder = el("figure", { class: `chart ${kind}` }, el("figcaption", {}, kind === "throughput" ? "Messages per second" : "Latency, logarithmic; each mark is a message with a life"));
    this.plots.append(holder);
    const chart = new uPlot(options, values, holder);
    this.charts.push(chart);
    if (kind === "latency") pickable(chart, () => this.spots, (spot) => this.select(spot.message), spotText);
  }

  buildOrders() {
    const choice = el("select", { "aria-label": "Queue" }, ...this.data.orders.map((picture, number) => el("option", { value: number }, orderTitle(picture))));
    const holder = el("figure", { class: "chart order" });
    this.orders.append(el("h4", {}, "Order"), el("label", { class: "choice" }, "group and queue ", choice), holder);
    const show = () => {
      const picture = this.data.orders[choice.value];
      if (this.order) {
        this.charts.splice(this.charts.indexOf(this.order), 1);
        this.order.destroy();
      }
      const [options, values, points] = orderChart(this, picture);
      holder.replaceChildren(el("figcaption", {}, "Offset against time of delivery"));
      this.order = new uPlot(options, values, holder);
      this.charts.push(this.order);
      holder.append(orderLegend(picture));
      pickable(this.order, () => points, (point) => this.openAt(picture, point), (point) => `offset ${point.offset} at ${duration(point.at)}\n${picture.members[point.who]}${["", ", delivered again", ", out of order"][point.mark]}`);
    };
    choice.addEventListener("change", show);
    show();
  }

  /* The message at a point of an order picture, where its life is in the report. */
  openAt(picture, point) {
    if (!this.byPlace) {
      this.byPlace = new Map();
      for (const [message, life] of Object.entries(this.data.messages)) {
        for (const event of life.events) {
          const told = this.event(event);
          if (told.kind === "delivered") this.byPlace.set(`${told.who.split(" ")[0]} ${told.place}`, message);
        }
      }
    }
    const message = this.byPlace.get(`${picture.group} ${picture.topic} ${picture.broker}/${picture.queue}@${point.offset}`);
    this.notice(message ? "" : `The life of the message at offset ${point.offset} is not in this report; the run's folder has it.`);
    if (message) this.select(message);
  }

  notice(text) {
    find(".notice", this.toolbar).textContent = text;
  }

  select(message, moving = true) {
    this.selected = message === null ? null : String(message);
    const choice = find("select.message", this.toolbar);
    if (choice) choice.value = this.selected === null ? "" : this.selected;
    if (this.selected !== null && !this.data.messages[this.selected]) {
      this.notice(`The life of message ${message} is not in this report; the run's folder has it.`);
      this.selected = null;
    } else this.notice("");
    history.replaceState(null, "", `#scenario-${this.number}${this.selected === null ? "" : `/message-${this.selected}`}`);
    this.draw();
    if (this.selected !== null && moving) {
      const panel = find(".life", this.lifeHolder);
      panel.focus({ preventScroll: true });
      panel.scrollIntoView({ block: "nearest", behavior: "auto" });
    }
  }

  zoom(from, until) {
    const whole = [0, this.data.length_ms];
    this.range = until - from < 1 ? whole : [Math.max(0, from), Math.min(whole[1], until)];
    find(".whole", this.toolbar).hidden = this.range[0] === 0 && this.range[1] === whole[1];
    for (const chart of this.charts) chart.setScale("x", { min: this.range[0], max: this.range[1] });
    this.drawRest();
  }

  /* The time of the selected life up to its last delivery: reading everything back comes much later. */
  zoomOnto() {
    const life = this.life();
    const told = life ? life.told.filter((event) => event.kind !== "read back") : [];
    if (!told.length) return;
    const until = Math.max(...told.map((event) => event.until ?? event.at));
    const room = Math.max(20, (until - told[0].at) * 0.25);
    this.zoom(told[0].at - room, until + room);
  }

  drawRest() {
    this.lanesHolder.replaceChildren(drawLanes(this));
    this.lifeHolder.replaceChildren(lifePanel(this));
  }

  draw() {
    for (const chart of this.charts) {
      chart.redraw(false, true);
      tintLegend(chart);
    }
    this.drawRest();
  }

  resized() {
    if (!this.width() || this.width() === this.drawn) return;
    this.drawn = this.width();
    for (const chart of this.charts) chart.setSize({ width: this.drawn, height: chart.height });
    this.drawRest();
  }
}

/* uPlot gives its legend colours once; they change with the theme. */
function tintLegend(chart) {
  all(".u-series", chart.root).forEach((row, number) => {
    const marker = find(".u-marker", row);
    const { stroke } = chart.series[number];
    if (marker && number) marker.style.borderColor = typeof stroke === "function" ? stroke(chart, number) : stroke;
  });
}

/* One mark for each message that was sent and whose life is here. */
function spotsOf(view) {
  const spots = [];
  for (const [message, life] of Object.entries(view.data.messages || {})) {
    const told = life.events.map((event) => eventOf(view.data, event)).find((event) => event.kind === "send");
    if (!told) continue;
    const took = told.until === null ? view.data.length_ms : told.until - told.at;
    const shape = told.outcome === "ok" ? "circle" : told.outcome === "unknown" ? "plus" : "cross";
    const evidence = view.evidence.has(message);
    spots.push({ message, at: told.until ?? told.at, took: Math.max(took, 0.05), shape: evidence ? "diamond" : shape, tint: shape === "circle" ? "ink" : "bad", evidence, outcome: told.outcome });
  }
  return spots.sort((one, other) => Number(one.evidence) - Number(other.evidence));
}

function spotText(spot) {
  return `message ${spot.message}${spot.evidence ? ", in evidence" : ""}\n${spot.outcome === "ok" ? "acknowledged" : spot.outcome} after ${duration(spot.took)}; click for its life`;
}

/* Pointing at and clicking marks that a chart draws itself. */
function pickable(chart, spots, chosen, text) {
  const nearest = (event) => {
    const box = chart.over.getBoundingClientRect();
    const left = chart.bbox.left / devicePixelRatio;
    const top = chart.bbox.top / devicePixelRatio;
    const [x, y] = [event.clientX - box.left + left, event.clientY - box.top + top];
    let best = null;
    let distance = 14;
    for (const spot of spots()) {
      const far = Math.hypot((spot.x ?? -99) - x, (spot.y ?? -99) - y);
      if (far < distance) [best, distance] = [spot, far];
    }
    return best;
  };
  chart.over.addEventListener("mousemove", (event) => {
    const spot = nearest(event);
    chart.over.style.cursor = spot ? "pointer" : "";
    if (spot) showTip(text(spot), event);
    else hideTip();
  });
  chart.over.addEventListener("mouseleave", hideTip);
  chart.over.addEventListener("click", (event) => {
    const spot = nearest(event);
    if (spot) chosen(spot);
  });
}

function toolbarOf(view) {
  const { data } = view;
  const ids = Object.keys(data.messages);
  const option = (message) => el("option", { value: message }, `${message} ${data.messages[message].head.topic || ""} ${data.messages[message].head.keys || ""}`.trim().slice(0, 60));
  const named = ids.filter((message) => view.evidence.has(message));
  const others = ids.filter((message) => !view.evidence.has(message));
  const choice = el("select", { class: "message", "aria-label": "Message", on: { change: () => view.select(choice.value || null) } },
    el("option", { value: "" }, ids.length ? "choose a message" : "no messages"),
    named.length ? el("optgroup", { label: `in evidence (${named.length})` }, ...named.map(option)) : "",
    others.length ? el("optgroup", { label: `sample (${others.length})` }, ...others.map(option)) : "");
  const step = (by) => {
    const order = [...named, ...others];
    if (order.length) view.select(order[(order.indexOf(view.selected) + by + order.length) % order.length]);
  };
  return el("div", { class: "toolbar" },
    el("label", { class: "choice" }, "message ", choice),
    el("button", { type: "button", "aria-label": "Message before", on: { click: () => step(-1) } }, "‹"),
    el("button", { type: "button", "aria-label": "Next message", on: { click: () => step(1) } }, "›"),
    el("button", { type: "button", class: "whole", hidden: true, on: { click: () => view.zoom(0, 0) } }, "whole time"),
    el("span", { class: "faint notice" }, ""),
    el("span", { class: "faint hint" }, "drag over a chart to zoom in"));
}

function leftOut(data) {
  const told = Object.entries(data.left_out || {}).map(([what, count]) => `${count.toLocaleString("en")} ${what}`);
  return el("p", { class: "faint left-out" }, told.length ? `Left out to keep this page small: ${told.join(", ")}. Curves count everything; the run's folder has all.` : "");
}

function viewOf(number) {
  if (!views.has(number)) {
    const holder = find(`[data-timeline="${number}"]`);
    if (!holder) return null;
    views.set(number, new View(holder, number));
  }
  return views.get(number);
}
