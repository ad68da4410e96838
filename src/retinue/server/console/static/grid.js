/* The matrix of permissions: arrow keys, whole rows and columns, what differs, and where a permission comes from.
   Without this it is a table of check boxes. */

const box = (cell) => cell?.querySelector(".glyph-box");
const own = (each) => !each.classList.contains("glyph-inherited");

class Grid {
  constructor(table) {
    this.table = table;
    table.setAttribute("role", "grid");
    table.querySelectorAll(".grid-all").forEach((each) => { each.hidden = false; });
    this.boxes = [...table.querySelectorAll(".glyph-box")];
    // What may not be changed is reached all the same: its reason is read there.
    for (const each of this.boxes) {
      if (each.disabled) {
        each.disabled = false;
        each.setAttribute("aria-disabled", "true");
      }
      each.tabIndex = -1;
    }
    if (this.boxes[0]) this.boxes[0].tabIndex = 0;
    table.addEventListener("keydown", (event) => this.move(event));
    table.addEventListener("focusin", (event) => this.tell(event.target));
    table.addEventListener("pointerover", (event) => this.tell(event.target.closest(".grid-cell")?.querySelector("input")));
    table.addEventListener("click", (event) => this.click(event));
    // Rows can be set as a whole where one may change them; what they are set to follows their boxes.
    for (const row of table.tBodies[0].rows) row.querySelector("[data-grid-levels]").hidden = !this.changeable(row).length;
    table.addEventListener("change", (event) => this.set(event.target));
    table.addEventListener("input", (event) => event.target.type === "radio" || this.levels());
    requestAnimationFrame(() => this.levels());
  }

  lines() {
    return [...this.table.tBodies[0].rows].filter((row) => !row.hidden);
  }

  move(event) {
    const here = event.target.closest("td");
    if (!here || event.target.type === "radio" || event.altKey || event.metaKey) return;
    const lines = this.lines();
    let [y, x] = [lines.indexOf(here.parentElement), here.cellIndex];
    const most = here.parentElement.cells.length - 1;
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0], Home: [0, -1], End: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    if (event.key === "Home") [y, x] = [event.ctrlKey ? 0 : y, 0];
    if (event.key === "End") [y, x] = [event.ctrlKey ? lines.length - 1 : y, most + 1];
    // Cells without a permission are stepped over.
    const [down, right] = event.key === "Home" ? [0, 1] : event.key === "End" ? [0, -1] : step;
    for (y += down, x += right; y >= 0 && y < lines.length && x >= 1 && x <= most; y += down, x += right) {
      const found = box(lines[y].cells[x]);
      if (!found) continue;
      for (const each of this.boxes) each.tabIndex = -1;
      found.tabIndex = 0;
      found.focus();
      return;
    }
  }

  changeable(row) {
    return [...row.cells].map(box).filter((each) => each && own(each) && each.getAttribute("aria-disabled") !== "true");
  }

  set(radio) {
    if (radio.type !== "radio") return;
    const found = this.changeable(radio.closest("tr"));
    for (const each of found) each.checked = radio.value === "write" || radio.value === each.dataset.level;
    found[0].dispatchEvent(new Event("input", { bubbles: true }));
  }

  levels() {
    for (const row of this.table.tBodies[0].rows) {
      const on = [...row.querySelectorAll(".glyph-box:checked")]; // what is inherited counts, and stays
      const found = new Set([...on, ...this.changeable(row)]);
      const looking = [...found].filter((each) => each.dataset.level === "read");
      const isRead = on.length === looking.length && on.every((each) => each.dataset.level === "read");
      // A row of which only some boxes are ticked is none of the three.
      const level = !on.length ? "none" : isRead ? "read" : on.length === found.size ? "write" : "";
      for (const each of row.querySelectorAll("input[type=radio]")) each.checked = each.value === level;
    }
  }

  tell(found) {
    const said = this.table.closest("form")?.querySelector("[data-grid-said]");
    if (said && found?.dataset?.why) said.textContent = found.dataset.why;
  }

  click(event) {
    const all = event.target.closest("[data-grid-column], [data-grid-line]");
    if (all) {
      const at = all.closest("th").cellIndex;
      const found = all.matches("[data-grid-line]")
        ? this.changeable(all.closest("tr"))
        : this.lines().flatMap((row) => this.changeable(row).filter((each) => each.closest("td").cellIndex === at));
      const on = !found.every((each) => each.checked);
      for (const each of found) each.checked = on;
      found[0]?.dispatchEvent(new Event("input", { bubbles: true }));
      return;
    }
    const found = event.target.closest(".glyph-box");
    if (!found) return;
    if (found.getAttribute("aria-disabled") === "true" || !own(found)) event.preventDefault();
    if (!own(found) && found.dataset.whyUrl) {
      window.htmx.ajax("GET", found.dataset.whyUrl, { target: "#dialog", source: found });
    }
  }
}

function differs(form) {
  let [more, less] = [0, 0];
  for (const each of form.querySelectorAll(".glyph-box")) {
    const changed = each.checked !== each.defaultChecked;
    each.toggleAttribute("data-changed", changed);
    if (changed) each.checked ? more += 1 : less += 1;
  }
  form.querySelector("[data-diff-count]").textContent = more || less ? `+${more} −${less}` : "";
}

function narrow(search) {
  const wanted = search.value.trim().toLowerCase();
  for (const row of document.querySelectorAll("[data-grid-row]")) {
    const names = [...row.querySelectorAll(".glyph-box")].map((each) => each.value).join(" ");
    row.hidden = !names.toLowerCase().includes(wanted);
  }
  if (wanted) document.querySelectorAll(".grid-group").forEach((each) => { each.open = true; });
}

document.querySelectorAll("[data-grid]").forEach((table) => new Grid(table));
document.querySelectorAll("[data-grid-finder]").forEach((each) => { each.hidden = false; });
document.querySelectorAll("form[data-diff]").forEach((form) => {
  form.addEventListener("input", () => differs(form));
  // A browser may bring back what was ticked before.
  requestAnimationFrame(() => differs(form));
  form.addEventListener("submit", () => {
    for (const each of form.querySelectorAll(".glyph-box[aria-disabled=true]")) each.disabled = true;
  });
});
document.querySelectorAll("[data-grid-search]").forEach((each) => {
  each.addEventListener("input", () => narrow(each));
  each.form?.matches("[role=search]") && each.form.addEventListener("submit", (event) => { event.preventDefault(); narrow(each); });
});
