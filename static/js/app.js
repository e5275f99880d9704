// What every page can do by attribute alone: copy, confirm, announce, search by "/", menus.
(() => {
  const stored = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  let lastSaid = document.querySelector("[data-announce]")?.dataset.announce;  // what swapped parts said last
  const announce = (text) => {
    const place = document.getElementById("announcer");
    if (place) place.textContent = text;
  };

  // --- copy -------------------------------------------------------------------------------------
  const showCopyButtons = (root) => {
    if (!navigator.clipboard) return;  // only over HTTPS and on localhost
    root.querySelectorAll("[data-copy][hidden]").forEach((button) => { button.hidden = false; });
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      announce("Copied");
      button.classList.add("copied");
      setTimeout(() => button.classList.remove("copied"), 1500);
    } catch {
      announce("The browser did not allow copying");
    }
  });

  // --- confirm: data-confirm on a button, a link or a form names the consequence -----------------
  const dialog = document.getElementById("confirm");
  const confirmed = new WeakSet();
  const ask = (element, go) => {
    const opener = document.activeElement;
    document.getElementById("confirm-text").textContent = element.dataset.confirm;
    const yes = document.getElementById("confirm-yes");
    const verb = element.dataset.confirmVerb || (element.matches("form") ? "Continue" : element.textContent.trim()) || "Yes";
    yes.textContent = verb;
    document.getElementById("confirm-title").textContent = `${verb}?`;
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => {
      if (opener?.isConnected) opener.focus();
      if (dialog.returnValue !== "yes") return;
      confirmed.add(element);
      go();
      confirmed.delete(element);
    }, { once: true });
    dialog.showModal();
    document.getElementById("confirm-no").focus();  // what cannot be undone is never one Enter away
  };
  document.addEventListener("click", (event) => {
    const element = event.target.closest("[data-confirm]:not(form)");
    if (!element || confirmed.has(element) || !dialog) return;
    if (element.form && !element.formNoValidate && !element.form.reportValidity()) return event.preventDefault();
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(element, () => element.click());
  }, true);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-confirm]") || confirmed.has(form) || !dialog) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(form, () => form.requestSubmit(event.submitter));
  }, true);

  // --- keyboard: "/" goes to the search field; the account menu turns it off ----------------------
  const shortcutOn = () => stored("shortcut") !== "off";
  const showShortcut = () => document.querySelectorAll("[data-shortcut-toggle]").forEach((button) => {
    button.hidden = false;
    button.setAttribute("aria-pressed", String(shortcutOn()));
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-shortcut-toggle]")) return;
    try { localStorage.setItem("shortcut", shortcutOn() ? "off" : "on"); } catch { /* stays on */ }
    showShortcut();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelectorAll("[data-menu][open]").forEach((menu) => {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !shortcutOn()) return;
    if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
    const field = document.querySelector("main input[type=search], main [data-search], .topbar [data-search]");
    if (!field) return;
    event.preventDefault();
    field.focus();
  });
  document.addEventListener("click", (event) => {
    document.querySelectorAll("[data-menu][open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-autosubmit]");
    if (form && event.target.matches("select, [type=checkbox], [type=radio], [type=date]")) form.requestSubmit();
  });

  // --- htmx -------------------------------------------------------------------------------------
  const trouble = (text) => {
    const place = document.getElementById("messages");
    let box = document.getElementById("trouble");
    if (!text) return box?.remove();
    if (!box) {
      box = document.createElement("div");
      box.id = "trouble";
      box.className = "alert alert-warning";
      box.setAttribute("role", "alert");
      place?.append(box);
    }
    if (box.textContent !== text) box.textContent = text;  // said once, not each second
  };
  const sentences = {
    403: "You may not do this. Nothing was changed.",
    404: "This is not there any more. Reload the page.",
    429: "Too many requests. Wait a moment and try again.",
  };
  document.addEventListener("htmx:sendError", () => trouble("The server cannot be reached. What you see may be out of date; trying again."));
  document.addEventListener("htmx:responseError", (event) => {
    trouble(sentences[event.detail.xhr.status] || `The server answered ${event.detail.xhr.status}. What you see may be out of date.`);
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    const login = document.body.dataset.loginUrl;
    // the session ended: the sign-in page must not appear inside a card
    const bare = (path) => path.replace(/^\/w\/[^/]+(?=\/)/, "");  // the workspace may stand in front
    const came = xhr.responseURL && bare(new URL(xhr.responseURL).pathname);
    if (login && came === bare(login) && bare(location.pathname) !== came) {
      event.detail.shouldSwap = false;
      return location.reload();
    }
    if (dialog?.open) event.detail.shouldSwap = false;  // its button must still be there afterwards
    else if (event.detail.shouldSwap) remember(event.detail.target);
  });

  // --- a part that renews itself each second must not disturb who reads or works in it ------------
  const isTyping = (part) => {
    const at = document.activeElement;
    return part?.contains(at) && at.matches("input:not([type=checkbox], [type=radio]), textarea, select");
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { requestConfig, target } = event.detail;
    const byItself = !requestConfig.triggeringEvent;
    if (byItself && (dialog?.open || isTyping(target))) event.preventDefault();
  });
  const sign = (element) => [element.tagName, element.id, element.name, element.value, element.getAttribute("href"), element.textContent.trim()].join("|");
  let kept = null;
  const remember = (part) => {
    if (!part?.contains || part === document.body) return;
    const at = document.activeElement;
    kept = {
      focus: at !== document.body && part.contains(at) ? sign(at) : null,
      open: [...part.querySelectorAll("details[open]")].map((d) => sign(d.querySelector("summary") || d)),
      scrolled: [...part.querySelectorAll(".table-responsive")].map((box) => [box.scrollLeft, box.scrollTop]),
    };
  };
  document.addEventListener("htmx:afterSettle", (event) => {
    if (!kept) return;
    const { focus, open, scrolled } = kept;
    const part = event.detail.elt;
    kept = null;
    if (!part?.querySelectorAll) return;
    part.querySelectorAll("details:not([open])").forEach((d) => { if (open.includes(sign(d.querySelector("summary") || d))) d.open = true; });
    part.querySelectorAll(".table-responsive").forEach((box, n) => { if (scrolled[n]) [box.scrollLeft, box.scrollTop] = scrolled[n]; });
    if (focus && document.activeElement === document.body) {
      [...part.querySelectorAll("a, button, summary, input, select, textarea, [tabindex]")].find((other) => sign(other) === focus)?.focus({ preventScroll: true });
    }
  });
  document.addEventListener("htmx:afterOnLoad", (event) => {
    if (event.detail.xhr.status < 400) trouble("");
  });
  document.addEventListener("htmx:load", (event) => {
    const root = event.detail.elt;
    if (root === document.body) return;
    showCopyButtons(root.parentElement || root);
    const said = root.matches?.("[data-announce]") ? root : root.querySelector?.("[data-announce]");
    if (said && said.dataset.announce !== lastSaid) announce(lastSaid = said.dataset.announce);
  });

  showCopyButtons(document);
  showShortcut();
})();
