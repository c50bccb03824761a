/* Lanes under the charts: phases, faults, nodes, clients with their connections and memberships, stalls of the kit. */

const ENDS = { kill: "✕ kill", "power-cut": "ϟ power cut", crash: "✸ crash", stop: "■ stop" };
const BAR = 12;
const THIN = 4;

/* All lanes from top to bottom: {label, title, height, draw(group, y, at)}; what a message did needs ``places``. */
function lanesOf(view) {
  const { data } = view;
  const nodes = new Set(data.nodes.map((node) => node.node));
  const rows = [{ label: "phase", height: 18, phases: data.phases }];
  data.faults.forEach((fault, number) => rows.push({ label: `fault ${letter(number)}`, height: 18, fault, number }));
  for (const node of data.nodes) {
    const own = data.connections.filter((row) => row[0] === node.node);
    rows.push({ label: node.node, height: own.length ? 26 : 20, node, own, key: node.node });
  }
  const clients = [...new Set([...data.connections.map((row) => row[0]), ...data.members.map((row) => clientOf(row[0]))])];
  for (const client of clients.filter((name) => name && !nodes.has(name))) {
    const connections = data.connections.filter((row) => row[0] === client);
    const servers = [...new Set(connections.map((row) => row[1]))].sort();
    const members = data.members.filter((row) => clientOf(row[0]) === client);
    const groups = members.length ? BAR + 2 : 0;
    rows.push({ label: client, height: Math.max(16, groups + servers.length * (THIN + 1) + 6), client, connections, servers, members, key: client });
  }
  if (data.stalls.length) rows.push({ label: "kit stalled", height: 14, stalls: data.stalls });
  let y = 0;
  for (const row of rows) {
    row.y = y;
    y += row.height;
  }
  return { rows, height: y };
}

function clientOf(member) {
  return member.split("@")[0];
}

function drawLanes(view) {
  const { rows, height } = view.lanes;
  const left = axisSize();
  const width = view.width();
  const right = width - 12;
  const [from, until] = view.range;
  const at = (ms) => left + ((ms - from) / (until - from)) * (right - left);
  const edge = (ms) => Math.min(Math.max(at(ms), left), right);
  const root = svg("svg", { width, height: height + 4, viewBox: `0 0 ${width} ${height + 4}`, role: "img", class: "lanes" });
  root.setAttribute("aria-label", "Faults, nodes and clients over time");
  const names = svg("g", { class: "names" });
  const plot = svg("g", { "clip-path": `url(#clip-${view.number})` });
  root.append(
    svg("defs", {},
      svg("clipPath", { id: `clip-${view.number}` }, svg("rect", { x: left, y: 0, width: right - left, height: height + 4 })),
      svg("pattern", { id: `hatch-${view.number}`, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        svg("line", { x1: 0, y1: 0, x2: 0, y2: 6, class: "hatch" }))),
    names, plot);
  for (const [began, healed] of faultWindows(view.data)) {
    const x = edge(began);
    plot.append(svg("rect", { class: "shade", x, y: 0, width: Math.max(1, edge(healed) - x), height: height + 4 }));
  }
  for (const row of rows) {
    names.append(svg("text", { x: left - 8, y: row.y + Math.min(row.height / 2 + 4, 15), class: "name" }, shortened(row.label, left), svg("title", {}, row.label)));
    plot.append(svg("line", { class: "floor", x1: left, x2: right, y1: row.y + row.height, y2: row.y + row.height }));
    drawRow(view, plot, row, edge);
  }
  drawWay(view, plot, at);
  return root;
}

function shortened(label, left) {
  const room = Math.floor((left - 10) / 6.6);
  const end = Math.floor((room - 1) * 0.6);
  return label.length > room ? `${label.slice(0, room - 1 - end)}…${label.slice(-end)}` : label;
}

function bar(plot, className, x, until, y, height, title) {
  const rect = svg("rect", { class: className, x, y, width: Math.max(1.5, until - x), height, rx: 2 });
  rect.dataset.tip = title;
  plot.append(rect);
  return rect;
}

function word(plot, text, x, y, className = "word", room = Infinity) {
  const letters = Math.floor(room / 6);
  const told = text.length > letters ? (letters > 2 ? `${text.slice(0, letters - 1)}…` : "") : text;
  if (told) plot.append(svg("text", { x, y, class: className }, told));
}

function drawRow(view, plot, row, edge) {
  const end = view.data.length_ms;
  if (row.phases) {
    for (const [name, began, ended] of row.phases) {
      const [x, z] = [edge(began), edge(ended ?? end)];
      if (z <= x) continue;
      bar(plot, "phase", x, z - 1, row.y + 2, 14, `phase ${name}, ${duration((ended ?? end) - began)}`);
      word(plot, name, x + 4, row.y + 13, "word", z - x - 6);
    }
  }
  if (row.fault) drawFault(view, plot, row, edge, end);
  if (row.node) drawNode(view, plot, row, edge, end);
  if (row.client) drawClient(view, plot, row, edge, end);
  for (const [who, began, ended] of row.stalls || []) {
    bar(plot, "stall", edge(began), edge(ended), row.y + 3, 8, `${who} stood still for ${duration(ended - began)}: nothing in it is held against the broker`);
  }
}

function faultText(fault) {
  return `${fault.kind} ${fault.on}${fault.direction ? ` (${fault.direction})` : ""}`;
}

function drawFault(view, plot, row, edge, end) {
  const { fault } = row;
  const [began, healed] = [edge(fault.began), edge(fault.healed ?? end)];
  const told = [
    `${letter(row.number)}: ${faultText(fault)}, ${fault.healed === null ? "never healed" : duration(fault.healed - fault.began)}`,
    fault.parameters, fault.confirmed ? "effect measured" : "no effect measured", fault.effect,
  ].filter(Boolean).join("\n");
  bar(plot, "fault unsure", began, healed, row.y + 3, BAR, told);
  if (fault.active !== null) bar(plot, "fault", edge(fault.active), edge(fault.healing ?? fault.healed ?? end), row.y + 3, BAR, told);
  const text = faultText(fault);
  const long = text.length * 6.2;
  const right = view.width() - 16;
  const fits = healed - began > long + 8;
  const x = fits ? began + 5 : healed + 5 + long < right ? healed + 5 : Math.max(axisSize() + 4, began - long - 5);
  word(plot, text, x, row.y + 13, fits ? "word on-fault" : "word");
}

function drawNode(view, plot, row, edge, end) {
  const { node } = row;
  node.lives.forEach(([life, spawned, ready, ending, ended, how], number) => {
    const until = ended ?? ending ?? end;
    const title = [
      `${node.node} (${node.role}${node.slave ? `, slave ${node.slave}` : ""}) life ${life}`,
      ready === null ? "never ready" : `ready after ${duration(ready - spawned)}`,
      how ? `ended by ${how}` : "still there at the end", node.version, node.address,
    ].filter(Boolean).join("\n");
    bar(plot, "node starting", edge(spawned), edge(ready ?? until), row.y + 4, BAR, title);
    if (ready !== null) bar(plot, "node", edge(ready), edge(ending ?? until), row.y + 4, BAR, title);
    if (how && how !== "stop") {
      const next = node.lives[number + 1];
      const x = edge(until) + 3;
      const text = ENDS[how] || how;
      const room = next ? edge(next[1]) - x : Infinity;
      word(plot, room < text.length * 6 ? text[0] : text, x, row.y + 14, "word ended");
    }
  });
  for (const fault of view.data.faults.filter((each) => each.node === node.node && !/kill|cut|stop|restart/.test(each.kind))) {
    const mark = bar(plot, "paused", edge(fault.began), edge(fault.healed ?? end), row.y + 4, BAR, faultText(fault));
    mark.setAttribute("fill", `url(#hatch-${view.number})`);
  }
  for (const [, server, opened, closed, by] of row.own) {
    bar(plot, "connection", edge(opened), edge(closed ?? end), row.y + 19, THIN - 1, connectionText(node.node, server, opened, closed, by));
  }
}

function connectionText(client, server, opened, closed, by) {
  return `connection ${client} → ${server}\n${closed === null ? "open to the end" : `${duration(closed - opened)}, closed by ${by || "nobody"}`}`;
}

function drawClient(view, plot, row, edge, end) {
  let y = row.y + 3;
  for (const [member, group, from, until, left] of row.members) {
    bar(plot, "member", edge(from), edge(until ?? end), y, BAR, `${member} in group ${group}\n${left ? `left after ${duration(until - from)}` : "never said good-bye"}`);
  }
  if (row.members.length) {
    word(plot, [...new Set(row.members.map((each) => each[1]))].join(", "), edge(row.members[0][2]) + 12, y + 10, "word on-member");
    for (const [at, member, group, kind, text] of view.data.steps.filter((step) => clientOf(step[1]) === row.client)) {
      const x = edge(at);
      if (x <= axisSize() || x >= view.width() - 12) continue;
      const mark = svg("path", { class: `step ${kind}`, d: kind === "revoked" ? `M${x - 3} ${y}h6l-3 5z` : `M${x - 3} ${y + BAR}h6l-3 -5z` });
      mark.dataset.tip = `${duration(at)}: ${member} (${group})\n${text}`;
      plot.append(mark);
    }
    y += BAR + 2;
  }
  row.servers.forEach((server, number) => {
    for (const [, to, opened, closed, by] of row.connections) {
      if (to !== server) continue;
      const place = y + number * (THIN + 1);
      const told = connectionText(row.client, server, opened, closed, by);
      bar(plot, "connection", edge(opened), edge(closed ?? end), place, THIN - 1, told).setAttribute("rx", 0);
      if (closed !== null && by !== "us") bar(plot, "broken", edge(closed) - 1, edge(closed) + 1.5, place - 1, THIN + 1, told).setAttribute("rx", 0);
    }
  });
}

/* The way of the selected message through the lanes. */
function drawWay(view, plot, at) {
  const life = view.life();
  if (!life) return;
  const places = new Map(view.lanes.rows.filter((row) => row.key).map((row) => [row.key, row.y + 10]));
  const points = [];
  for (const event of life.events) {
    const told = view.event(event);
    const y = places.get(laneOf(told, places));
    if (y === undefined) continue;
    points.push([at(event[0]), y, told]);
    if (told.kind === "attempt" && told.until !== null) {
      const client = laneOf({ kind: "send", who: life.producer || "" }, places);
      if (client) points.push([at(told.until), places.get(client), { ...told, kind: `answer: ${told.outcome}` }]);
    }
  }
  if (points.length > 1) plot.append(svg("polyline", { class: "way", points: points.map(([x, y]) => `${x.toFixed(1)},${y}`).join(" ") }));
  for (const [x, y, told] of points) {
    const dot = svg("circle", { class: `stop ${told.bad ? "bad" : ""}`, cx: x, cy: y, r: 4 });
    dot.dataset.tip = `${duration(told.at)}: ${told.kind}\n${[told.who, told.place, told.outcome, told.note].filter(Boolean).join(" · ")}`;
    plot.append(dot);
  }
}

/* Which lane an event belongs to: a producer, a consumer, or the node that stored it. */
function laneOf(told, places) {
  const names = [...places.keys()].sort((one, other) => other.length - one.length);
  if (["send", "transaction"].includes(told.kind)) return names.find((name) => told.who === name);
  if (["delivered", "result"].includes(told.kind)) return names.find((name) => told.who.includes(` ${name}@`) || told.who.endsWith(` ${name}`));
  return names.find((name) => `${told.place} ${told.who}`.split(/[ /@]/).includes(name));
}
