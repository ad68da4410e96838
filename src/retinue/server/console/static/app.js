/* What pages do beyond HTML: the dialog, menus, copying, selection, messages, keys. Every page works without. */

const dialog = document.getElementById("dialog");

// --- The one dialog: a fragment of a page, asked for by hx-target="#dialog" --------------------------------
let opener = null;
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target !== dialog || dialog.open) return;
  // An item of a menu is gone when the dialog closes: its button is what stays.
  const menu = document.activeElement.closest("[popover]");
  opener = menu ? document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`) : document.activeElement;
});
document.addEventListener("htmx:beforeSwap", (event) => {
  // A whole page where a part was asked for: the session has ended, or a proxy answers. Go there instead.
  const text = event.detail.xhr.responseText.trimStart().slice(0, 9).toLowerCase();
  if (text === "<!doctype" && !event.detail.target.matches("body, #found")) {
    event.detail.shouldSwap = false;
    if (document.querySelector("secret-reveal")) return; // Nothing takes a token away that is shown once.
    window.location.assign(event.detail.xhr.responseURL || window.location.href);
  }
  if (text === "<!doctype" && event.detail.target.id === "found" && !event.detail.xhr.responseText.includes('id="found"')) {
    event.detail.shouldSwap = false;
    window.location.reload();
  }
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target === dialog && dialog.firstElementChild) {
    if (!dialog.open) dialog.showModal();
    const wanted = dialog.querySelector("[aria-invalid=true], [role=alert], [autofocus], secret-reveal [data-heading]");
    (wanted?.matches("[role=alert]") ? dialog.querySelector("h1") : wanted || dialog.querySelector("h1"))?.focus();
  }
  // What was swapped as a whole is not the element that was asked for any more.
  enhance(event.detail.target.isConnected ? event.detail.target : document);
});
dialog?.addEventListener("click", (event) => {
  if (event.target.closest("[data-cancel]")) {
    event.preventDefault();
    dialog.close();
  }
});
dialog?.addEventListener("close", () => {
  if (dialog.querySelector("secret-reveal")) return;
  dialog.replaceChildren();
  opener?.focus();
});
// What is live waits while somebody looks at a row of it.
const isLookedAt = (live) => live.matches?.("[data-live]") && (live.contains(document.activeElement) || live.matches(":hover") || live.querySelector(":popover-open"));
document.addEventListener("htmx:beforeRequest", (event) => {
  if (isLookedAt(event.detail.elt)) event.preventDefault();
});
// Also where it was asked for before somebody looked, and the answer comes now.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (isLookedAt(event.detail.elt)) event.detail.shouldSwap = false;
});
// What could not be read leaves what was there before, and says from when it is and which request failed.
let asOf = new Date();
for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    const failure = document.getElementById("failure");
    const [time, asked] = [failure.querySelector("[data-as-of]"), failure.querySelector("[data-asked]")];
    const id = event.detail.xhr?.getResponseHeader("Retinue-Request-Id") || "";
    time.dateTime = asOf.toISOString();
    time.textContent = `${asOf.toISOString().slice(11, 19)} UTC`;
    asked.hidden = !id;
    asked.querySelector("code").textContent = id;
    failure.hidden = false;
  });
}
document.addEventListener("htmx:afterOnLoad", (event) => {
  if (event.detail.xhr.status >= 400) return;
  asOf = new Date();
  document.getElementById("failure").hidden = true;
});

// --- Copying: success is said only when it has happened ----------------------------------------------------
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    (dialog?.open ? dialog : document.body).append(field);
    field.select();
    let done = false;
    try { done = document.execCommand("copy"); } catch { done = false; }
    field.remove();
    return done;
  }
}
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const done = await copy(button.dataset.copy);
  button.classList.toggle("copied", done);
  setTimeout(() => button.classList.remove("copied"), 1500);
});

// --- The exact instant of a time also says what time it is here ------------------------------------------------
document.addEventListener("pointerover", (event) => {
  const time = event.target.closest?.("time[datetime][title]");
  if (!time || time.dataset.here) return;
  const here = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "long" });
  time.dataset.here = here.format(new Date(time.dateTime));
  if (!time.dataset.here.endsWith("UTC")) time.title += ` · ${time.dataset.here}`;
});

// --- Menus stand beside their button where the browser does not place them itself --------------------------
document.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (!menu.matches?.(".popover:not(.drawer)") || event.newState !== "open") return;
  menu.querySelector(".menu-item, a, button")?.focus({ preventScroll: true });
  if (CSS.supports("position-area", "bottom")) return;
  const beside = document.querySelector(`[popovertarget="${menu.id}"]`).getBoundingClientRect();
  menu.style.margin = "0";
  menu.style.top = `${Math.min(beside.bottom + 4, window.innerHeight - menu.offsetHeight - 8)}px`;
  menu.style.left = `${Math.max(8, beside.right - menu.offsetWidth)}px`;
}, true);
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".popover");
  if (!menu || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  const items = [...menu.querySelectorAll(".menu-item")];
  const next = items.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1);
  items[(next + items.length) % items.length]?.focus();
  event.preventDefault();
});

// --- Records open beside their rows: j and k go on to those of the neighbours ------------------------------
document.addEventListener("keydown", (event) => {
  const open = document.querySelector(".drawer:popover-open");
  if (!open || !["j", "k"].includes(event.key) || event.ctrlKey || event.metaKey || event.altKey || document.documentElement.dataset.keys === "off") return;
  const all = [...document.querySelectorAll(".drawer")];
  const next = all[all.indexOf(open) + (event.key === "j" ? 1 : -1)];
  event.preventDefault();
  if (!next) return;
  open.hidePopover();
  next.showPopover();
  next.querySelector("button").focus();
});

// --- Rows that are selected ---------------------------------------------------------------------------------
let last = null;
function chosen() {
  const rows = [...document.querySelectorAll("[data-row]")];
  const count = rows.filter((row) => row.checked).length;
  const bar = document.querySelector("[data-bulk]");
  if (!bar) return;
  bar.classList.toggle("bulk-live", true);
  bar.hidden = count === 0;
  bar.querySelector("[data-chosen]").textContent = `${bar.querySelector("[data-chosen]").dataset.label}: ${count}`;
  const all = document.querySelector("[data-all]");
  all.checked = count > 0 && count === rows.length;
  all.indeterminate = count > 0 && count < rows.length;
}
document.addEventListener("click", (event) => {
  const row = event.target.closest?.("[data-row]");
  if (row) {
    const rows = [...document.querySelectorAll("[data-row]")];
    if (event.shiftKey && last !== null) {
      const [from, to] = [rows.indexOf(last), rows.indexOf(row)].sort((a, b) => a - b);
      rows.slice(from, to + 1).forEach((each) => { each.checked = row.checked; });
    }
    last = row;
    chosen();
  }
  if (event.target.matches?.("[data-all]")) {
    document.querySelectorAll("[data-row]").forEach((each) => { each.checked = event.target.checked; });
    chosen();
  }
});

// --- Messages go by themselves, and wait while they are looked at -------------------------------------------
function passing(toast) {
  const button = toast.querySelector("[data-close]");
  button.hidden = false;
  button.addEventListener("click", () => toast.remove());
  if (toast.classList.contains("toast-bad")) return;
  let timer = 0;
  const wait = () => { timer = setTimeout(() => toast.remove(), 12000); };
  const stay = () => clearTimeout(timer);
  for (const name of ["mouseenter", "focusin"]) toast.addEventListener(name, stay);
  for (const name of ["mouseleave", "focusout"]) toast.addEventListener(name, wait);
  wait();
}

// --- What was written is not lost by accident ---------------------------------------------------------------
let written = false;
document.addEventListener("input", (event) => { if (event.target.closest("[data-guard]")) written = true; });
document.addEventListener("submit", () => { written = false; });
window.addEventListener("beforeunload", (event) => { if (written) event.preventDefault(); });

// --- A draft of a form outlives a reload, in this window and for this person alone; nothing hidden or secret ------
const draft = document.querySelector("[data-draft]");
if (draft) {
  const place = `retinue-draft-${draft.dataset.draft}`;
  const fields = () => [...draft.elements].filter((each) => each.name && !["hidden", "password", "submit", "button"].includes(each.type));
  const box = (each) => each.type === "checkbox" || each.type === "radio";
  const kept = sessionStorage.getItem(place);
  if (kept && !window.location.search && !draft.querySelector("[aria-invalid=true], [role=alert]")) {
    const values = JSON.parse(kept);
    for (const each of fields()) {
      if (box(each)) each.checked = (values[each.name] || []).includes(each.value);
      else if (values[each.name]) [each.value] = values[each.name];
    }
  }
  draft.addEventListener("input", () => {
    const values = {};
    for (const each of fields()) {
      if (!box(each) || each.checked) (values[each.name] ||= []).push(each.value);
    }
    sessionStorage.setItem(place, JSON.stringify(values));
  });
  draft.addEventListener("submit", () => sessionStorage.removeItem(place));
}

// --- The palette: Ctrl or Command and K, from anywhere but another dialog -----------------------------------
const palette = document.getElementById("palette");
function openPalette() {
  if (!palette || document.querySelector("dialog[open]")) return;
  palette.showModal();
  const field = palette.querySelector("input");
  field.value = "";
  field.focus();
  palette.querySelector("form").dispatchEvent(new Event("open"));
}
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k" && palette) {
    event.preventDefault();
    openPalette();
  }
  if (palette?.open && ["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) {
    const items = [...palette.querySelectorAll("a.menu-item")];
    const at = items.indexOf(document.activeElement);
    if (event.key === "Enter") {
      if (at < 0) { event.preventDefault(); items[0]?.click(); }
      return;
    }
    event.preventDefault();
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    (next < 0 ? palette.querySelector("input") : items[Math.min(next, items.length - 1)])?.focus();
  }
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-palette]") && palette) { event.preventDefault(); openPalette(); }
  if (event.target === palette) palette.close();
});

// --- Keys: off while something is written, never destructive ------------------------------------------------
let first = "";
document.addEventListener("keydown", (event) => {
  if (document.documentElement.dataset.keys === "off") return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=checkbox]), textarea, select, [popover]") || document.querySelector("dialog[open]")) return;
  const { key } = event;
  if (first === "g") {
    first = "";
    document.querySelector(`.rail [data-go="${CSS.escape(key)}"]`)?.click();
    return;
  }
  if (key === "g") { first = "g"; setTimeout(() => { first = ""; }, 1200); return; }
  if (key === "?") { document.getElementById("keys-help")?.showModal(); return; }
  if (key === "j" || key === "k") {
    const links = [...document.querySelectorAll(".row-link")];
    const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + (key === "j" ? 1 : -1)))]?.focus();
    return;
  }
  if (key === "x") { document.activeElement.closest?.("tr")?.querySelector("[data-row]")?.click(); return; }
  if (key === "[" || key === "]") {
    const tabs = [...document.querySelectorAll(".content .tabs a")];
    const at = tabs.findIndex((tab) => tab.getAttribute("aria-current"));
    tabs[at + (key === "]" ? 1 : -1)]?.click();
    return;
  }
  if (key === ".") { document.activeElement.closest?.("tr")?.querySelector("[popovertarget]")?.click(); return; }
  const named = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!named) return;
  event.preventDefault();
  if (named.matches("input")) { named.focus(); named.select(); } else named.click();
});

function enhance(root) {
  root.querySelectorAll("[data-copy], [data-all]").forEach((each) => { each.hidden = false; });
  const label = root.querySelector("[data-chosen]");
  if (label && !label.dataset.label) label.dataset.label = label.textContent;
  if (root.querySelector("[data-bulk]")) chosen();
}
enhance(document);
// The present tab is in sight where there is no room for all of them.
document.querySelectorAll(".tabs").forEach((tabs) => {
  const present = tabs.querySelector("[aria-current]");
  if (present) tabs.scrollLeft = present.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - present.offsetWidth) / 2;
});
document.querySelectorAll("[data-toast]").forEach(passing);
