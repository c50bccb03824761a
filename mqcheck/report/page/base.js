/* Small helpers that every other part uses. Text goes into the page as text only: no part ever sets innerHTML. */

const SVG = "http://www.w3.org/2000/svg";

function find(selector, inside = document) {
  return inside.querySelector(selector);
}

function all(selector, inside = document) {
  return Array.from(inside.querySelectorAll(selector));
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "on") for (const [event, heard] of Object.entries(value)) node.addEventListener(event, heard);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false && child !== "") node.append(child);
  }
  return node;
}

/* An element: el("p", {class: "faint"}, "text", other). Strings become text nodes. */
function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/* The data in a script element; null where there is none. */
function dataOf(id) {
  const holder = document.getElementById(id);
  return holder ? JSON.parse(holder.textContent) : null;
}

/* What a CSS variable means at the moment: canvases cannot read them. */
const probe = el("i", { hidden: true });
function colour(name) {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/* 0.42 ms, 17.3 ms, 1.234 s, 2 min 05 s */
function duration(ms) {
  if (ms === null || ms === undefined) return "";
  const size = Math.abs(ms);
  if (size < 10) return `${ms.toFixed(2)} ms`;
  if (size < 1000) return `${ms.toFixed(1)} ms`;
  if (size < 100000) return `${(ms / 1000).toFixed(size < 10000 ? 3 : 2)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

function many(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

function narrow() {
  return window.innerWidth < 720;
}

/* One tip for the whole page, beside the pointer. */
const tip = el("div", { class: "tip", role: "status", hidden: true });
function showTip(text, event) {
  if (!tip.isConnected) document.body.append(tip);
  tip.textContent = text;
  tip.hidden = !text;
  if (!text) return;
  const box = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, window.innerWidth - box.width - 8);
  const below = event.clientY + 18 + box.height < window.innerHeight;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${below ? event.clientY + 18 : event.clientY - box.height - 12}px`;
}

function hideTip() {
  tip.hidden = true;
}
