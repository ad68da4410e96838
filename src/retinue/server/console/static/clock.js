// Says so when the clock of the browser and that of the server differ: the page tells what time it is there.
for (const notice of document.querySelectorAll("[data-clock]")) {
  notice.hidden = Math.abs(Date.now() - Number(notice.dataset.clock)) <= 30_000;
}
