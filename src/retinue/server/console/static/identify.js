/* Identify a token: what a paste holds is read here. Only the public key id goes to the server. */

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const NATIVE = /(?<![0-9A-Za-z])[a-z][a-z0-9]{1,9}?(?:sa|pat|ing)_([0-9A-Za-z]{12})_([0-9A-Za-z]*)/;
const PAIR = /(?<![0-9A-Za-z])([0-9A-Za-z]{12}):[0-9A-Za-z]{43}(?![0-9A-Za-z])/;
const SECRET_AND_CHECKSUM = 49, CHECKSUM = 6;

function crc32(text) {
  let sum = 0xffffffff;
  for (let at = 0; at < text.length; at += 1) {
    sum ^= text.charCodeAt(at);
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return (sum ^ 0xffffffff) >>> 0;
}

function checksum(text) {
  let number = crc32(text), found = "";
  for (let at = 0; at < CHECKSUM; at += 1) {
    found = ALPHABET[number % 62] + found;
    number = Math.floor(number / 62);
  }
  return found;
}

/* What a text holds: `{ kid }`, `{ kid, broken: true }` for a mistyped or truncated token, or `null`. */
export function read(text) {
  const native = NATIVE.exec(text);
  if (native) {
    const whole = native[0], [, kid, rest] = native;
    const token = whole.slice(0, whole.length - Math.max(0, rest.length - SECRET_AND_CHECKSUM));
    const good = rest.length >= SECRET_AND_CHECKSUM && checksum(token.slice(0, -CHECKSUM)) === token.slice(-CHECKSUM);
    return good ? { kid } : { kid, broken: true };
  }
  const pair = PAIR.exec(text);
  return pair ? { kid: pair[1] } : null;
}

const form = document.querySelector("[data-identify]");
if (form) {
  const field = form.querySelector("[name=token]");
  const look = (kid) => {
    field.value = "";
    window.location.assign(`${form.getAttribute("action")}?key_id=${encodeURIComponent(kid)}`);
  };
  const show = (name) => form.querySelectorAll("[data-answer]").forEach((each) => { each.hidden = each.dataset.answer !== name; });
  let kid = "", agreed = false;
  form.querySelectorAll("[data-with]").forEach((each) => { each.hidden = false; });
  form.querySelectorAll("[data-without]").forEach((each) => { each.hidden = true; });
  form.addEventListener("submit", (event) => {
    if (agreed) return;
    event.preventDefault();
    const found = read(field.value);
    if (found && !found.broken) look(found.kid);
    else {
      kid = found ? found.kid : "";
      show(found ? "broken" : "other");
    }
  });
  field.addEventListener("input", () => show(""));
  form.querySelector("[data-look]").addEventListener("click", () => look(kid));
  form.querySelector("[data-send]").addEventListener("click", () => { agreed = true; form.requestSubmit(); });
}
