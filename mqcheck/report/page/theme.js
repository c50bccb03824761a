/* Dark or light: as the system says, or as the switch says. Charts are told to draw again. */

const THEMES = ["auto", "light", "dark"];
const repainted = new Set();

function remembered() {
  try {
    return localStorage.getItem("mqcheck-theme") || "auto";
  } catch {
    return "auto"; // a file opened from disk may have no storage
  }
}

function repaint() {
  for (const draw of repainted) draw();
}

function setTheme(theme, button) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  button.textContent = { auto: "◐ auto", light: "○ light", dark: "● dark" }[theme];
  button.setAttribute("aria-label", `Colours: ${theme}. Change`);
  try {
    localStorage.setItem("mqcheck-theme", theme);
  } catch {
    /* it holds until the page is closed */
  }
  repaint();
}

function startTheme() {
  const button = find("#theme");
  button.hidden = false;
  let theme = THEMES.includes(remembered()) ? remembered() : "auto";
  setTheme(theme, button);
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    setTheme(theme, button);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  matchMedia("print").addEventListener("change", repaint);
  window.addEventListener("beforeprint", repaint);
  window.addEventListener("afterprint", repaint);
}
