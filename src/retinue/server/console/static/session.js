/* Two minutes before the session ends somebody is told, beside whatever is open: nothing is closed by it. */
const ending = document.getElementById("session-ending");
const WARNING_S = 120;
let timer = 0;

function wait(seconds) {
  clearTimeout(timer);
  timer = setTimeout(tell, Math.max(0, seconds - WARNING_S) * 1000);
}

async function left(renew) {
  const answer = await fetch(ending.dataset.url + (renew ? "?stay=yes" : ""), { headers: { "X-Requested-With": "fetch" } });
  return answer.ok && !answer.redirected ? Number(await answer.text()) : 0;
}

async function tell() {
  // What was done since, here or in another window, has prolonged it.
  const seconds = await left(false).catch(() => WARNING_S);
  if (seconds > WARNING_S + 5) { wait(seconds); return; }
  (document.querySelector("dialog[open]") || document.body).append(ending);
  ending.hidden = false;
}

if (ending) {
  wait(Number(ending.dataset.seconds));
  ending.querySelector("button").addEventListener("click", async () => {
    const seconds = await left(true).catch(() => 0);
    if (seconds > WARNING_S) {
      ending.hidden = true;
      wait(seconds);
    } else {
      ending.querySelector("[data-late]").hidden = false;
    }
  });
}
