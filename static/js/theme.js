// Runs before the first paint: automatic follows the system; a choice is kept in this browser.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const order = ["auto", "light", "dark"];
  const read = () => {
    try { return localStorage.getItem("theme") || "auto"; } catch { return "auto"; }  // storage may be forbidden
  };
  const apply = () => {
    const choice = order.includes(read()) ? read() : "auto";
    const shown = choice === "auto" ? (system.matches ? "dark" : "light") : choice;
    root.dataset.themeChoice = choice;
    if (root.getAttribute("data-bs-theme") !== shown) {
      root.setAttribute("data-bs-theme", shown);
      document.dispatchEvent(new CustomEvent("themechange", { detail: shown }));
    }
    const next = order[(order.indexOf(choice) + 1) % order.length];
    const words = { auto: "automatic", light: "light", dark: "dark" };
    document.querySelectorAll("[data-theme-toggle]").forEach((button) => {
      button.hidden = false;
      button.setAttribute("aria-label", `Theme: ${words[choice]}. Switch to ${words[next]}`);
      button.title = `Theme: ${words[choice]}`;
    });
  };
  root.classList.add("js");
  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", (event) => { if (event.key === "theme") apply(); });
  document.addEventListener("DOMContentLoaded", apply);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const next = order[(order.indexOf(root.dataset.themeChoice) + 1) % order.length];
    try { localStorage.setItem("theme", next); } catch { /* then it lasts until the next page */ }
    apply();
  });
})();
