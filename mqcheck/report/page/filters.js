/* Filters of the matrix and the list of guarantees: both show the same ones. */

function startFilters() {
  const form = find("#filters");
  if (!form) return;
  form.hidden = false;
  const rows = all("[data-guarantee]");
  const state = () => ({
    words: form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean),
    verdicts: new Set(all("input[name=verdict]:checked", form).map((box) => box.value)),
    level: form.elements.level.value,
    subject: form.elements.subject.value,
    area: form.elements.area.value,
  });
  const shows = (row, wanted) =>
    (!wanted.verdicts.size || wanted.verdicts.has(row.dataset.verdict)) &&
    (!wanted.level || wanted.level === row.dataset.level) &&
    (!wanted.subject || wanted.subject === row.dataset.subject) &&
    (!wanted.area || wanted.area === row.dataset.area) &&
    wanted.words.every((word) => row.dataset.text.includes(word));
  const apply = () => {
    const wanted = state();
    for (const row of rows) row.hidden = !shows(row, wanted);
    for (const heading of all("[data-heading]")) {
      const mine = all(`[data-area="${heading.dataset.heading}"]`, heading.closest("[data-part]"));
      heading.hidden = !mine.some((row) => !row.hidden);
    }
    const inMatrix = all("tr[data-guarantee]");
    const left = inMatrix.filter((row) => !row.hidden).length;
    find("#shown").textContent =
      left === inMatrix.length ? `all ${left} guarantees` : `${left} of ${inMatrix.length} guarantees`;
    for (const empty of all(".nothing-left")) empty.hidden = left > 0;
  };
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of all(".clear-filters")) button.addEventListener("click", () => form.reset());
  for (const tile of all("[data-only]")) {
    tile.addEventListener("click", () => {
      for (const box of all("input[name=verdict]", form)) box.checked = box.value === tile.dataset.only;
      apply();
    });
  }
  document.addEventListener("keydown", (event) => {
    const writing = /^(input|select|textarea)$/i.test(event.target.tagName);
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      form.elements.text.focus();
      form.elements.text.scrollIntoView({ block: "center" });
    }
  });
  apply();
}

/* What a cell of the matrix says when it is pointed at, and where a click on it leads. */
function startMatrix(page) {
  const table = find("table.matrix");
  if (!table) return;
  const about = (cell) => {
    const row = cell.parentElement.dataset.guarantee;
    const column = cell.cellIndex - 2;
    const told = (page.cells[row] || {})[column] || [0, -1];
    const word = page.marks[cell.className.split(" ")[1]] || "not exercised";
    const parts = [`${row} in ${page.columns[column]}: ${word}`];
    if (told[0]) parts.push(`evidence ${told[0]}`);
    if (cell.classList.contains("aimed")) parts.push("aimed at");
    return parts.join(" · ") + (told[1] >= 0 ? `\n${page.words[told[1]]}` : "");
  };
  table.addEventListener("mousemove", (event) => {
    const cell = event.target.closest("td.cell");
    if (cell && cell.textContent) showTip(about(cell), event);
    else hideTip();
  });
  table.addEventListener("mouseleave", hideTip);
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("td.cell");
    if (cell) reveal(document.getElementById(cell.parentElement.dataset.guarantee));
  });
}
