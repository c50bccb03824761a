/* Ties the page together: what opens when, and addresses: #scenario-3/message-304, #see-GUARANTEE. */

function reveal(target) {
  if (!target) return;
  for (let card = target.closest("details"); card; card = card.parentElement && card.parentElement.closest("details")) {
    card.hidden = false;
    card.open = true;
  }
  target.scrollIntoView({ block: "start" });
}

/* Opens a scenario's timeline, with a message's life or a moment where they are given. */
function openTimeline(number, message, at) {
  const card = document.getElementById(`scenario-${number}`);
  if (!card) return;
  card.open = true;
  const view = viewOf(number);
  if (!view || !view.data) {
    reveal(card);
    return;
  }
  if (message) {
    view.select(message, false);
    const life = view.life();
    (life ? find(".timeline", card) : card).scrollIntoView({ block: "start" });
    if (life) find(".life", view.lifeHolder).focus({ preventScroll: true });
  } else {
    reveal(card);
    if (at) view.zoom(at - 500, at + 500);
  }
}

function follow(address) {
  const found = /^#scenario-(\d+)(?:\/(message|at)-(\d+))?$/.exec(address);
  if (found) openTimeline(Number(found[1]), found[2] === "message" ? found[3] : null, found[2] === "at" ? Number(found[3]) : null);
  else if (address.length > 1) reveal(document.getElementById(decodeURIComponent(address.slice(1))));
}

function startCopying() {
  for (const button of all("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = button.previousElementSibling.textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(button.previousElementSibling);
        button.textContent = "selected";
      }
      setTimeout(() => (button.textContent = "copy"), 1500);
    });
  }
}

function start() {
  document.documentElement.classList.add("scripted");
  startTheme();
  startFilters();
  startMatrix(dataOf("page-data"));
  startCopying();
  for (const card of all("details.scenario")) {
    card.addEventListener("toggle", () => {
      if (card.open) viewOf(Number(card.dataset.number));
    });
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[href^='#']");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    history.pushState(null, "", link.getAttribute("href"));
    follow(link.getAttribute("href"));
  });
  window.addEventListener("hashchange", () => follow(location.hash));
  window.addEventListener("popstate", () => follow(location.hash));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const view of views.values()) if (view.data && view.selected !== null) view.select(null);
  });
  follow(location.hash);
}

start();
