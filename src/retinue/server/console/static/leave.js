/* Who signs out leaves no draft in this window. */
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-leave]")) return;
  Object.keys(sessionStorage).filter((name) => name.startsWith("retinue-draft-")).forEach((name) => sessionStorage.removeItem(name));
});
