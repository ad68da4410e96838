/* A reviewer's keys: 1 to 5 decide about the account that has the focus, or the first that is not decided. */
document.addEventListener("keydown", (event) => {
  if (document.documentElement.dataset.keys === "off" || !"12345".includes(event.key) || event.key === "") return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select") || document.querySelector("dialog[open]")) return;
  const item = event.target.closest("[data-review-item]") || document.querySelector("[data-review-item]");
  const button = item?.querySelectorAll("button[name=decision]")[Number(event.key) - 1];
  if (!button) return;
  event.preventDefault();
  item.querySelector("details").open = true;
  const note = item.querySelector("[name=note]");
  const owner = item.querySelector("[name=assignee]");
  // What needs words gets them first; so does an act that ends an account: it is pressed, not typed by accident.
  if (button.value === "keep" && note.matches("[data-needed]") && !note.value.trim()) note.focus();
  else if (button.value === "reassign" && !owner.value.trim()) owner.focus();
  else if (button.value === "delete") button.focus();
  else button.click();
});
