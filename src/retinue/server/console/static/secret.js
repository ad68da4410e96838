/* A token that is shown once. Nothing is said to be saved that is not, and nothing closes it by accident. */

class SecretReveal extends HTMLElement {
  connectedCallback() {
    if (this.ready) return;
    this.ready = true;
    this.saved = false;
    this.left = false;
    this.dialog = this.closest("dialog");
    const one = (name) => this.querySelector(`[data-${name}]`);
    this.token = one("token");
    this.said = one("said");
    this.done = one("done");
    this.unsaved = one("unsaved");
    for (const name of ["copy-token", "download", "test"]) if (one(name)) one(name).hidden = false;
    this.querySelectorAll("[data-copy-recipe]").forEach((each) => { each.hidden = false; });
    this.done.setAttribute("aria-disabled", "true");
    one("copy-token").addEventListener("click", () => this.copy());
    one("download").addEventListener("click", () => this.download());
    one("stored").addEventListener("change", (event) => this.mark(event.target.checked));
    one("back").addEventListener("click", () => this.warn(false));
    one("test")?.addEventListener("click", (event) => this.test(event.target.closest("[data-test]").dataset.url));
    one("revoke")?.addEventListener("submit", () => { this.left = true; });
    this.done.addEventListener("click", (event) => { event.preventDefault(); this.leave(); });
    // Whoever copies by hand has copied it, if all of it was selected.
    this.token.addEventListener("copy", () => {
      if (this.token.selectionEnd - this.token.selectionStart === this.token.value.length) this.mark(true, "copied");
    });
    this.addEventListener("click", (event) => {
      const button = event.target.closest("[data-copy-recipe]");
      if (button) this.recipe(button);
    });
    this.guard();
    this.timer = setTimeout(() => this.hide(), Number(this.dataset.minutes) * 60_000);
    this.unprint();
    this.token.select();
    // Whoever has gone on by then, by keys, is not taken back.
    requestAnimationFrame(() => {
      const at = document.activeElement;
      if (at === this.token || !this.contains(at)) one("heading").focus();
    });
  }

  // The token stands in the field's value alone: whatever keeps the page's markup does not keep the token.
  unprint() {
    const { value } = this.token;
    this.token.value = value;
    this.token.textContent = "";
  }

  guard() {
    this.onUnload = (event) => { if (!this.left) event.preventDefault(); };
    this.onBack = () => {
      if (this.left) return;
      history.pushState({ retinue: "secret" }, "");
      this.leave();
    };
    this.onKey = (event) => {
      if (event.key !== "Escape" || this.left) return;
      event.preventDefault();
      event.stopPropagation();
      this.leave();
    };
    history.pushState({ retinue: "secret" }, "");
    window.addEventListener("beforeunload", this.onUnload);
    window.addEventListener("popstate", this.onBack);
    document.addEventListener("keydown", this.onKey, true);
    this.dialog?.addEventListener("cancel", (event) => { event.preventDefault(); this.leave(); });
    this.dialog?.addEventListener("click", (event) => { if (event.target === this.dialog) this.leave(); });
    this.dialog?.addEventListener("close", () => { if (!this.left) { this.dialog.showModal(); this.leave(); } });
  }

  async copy() {
    let done = false;
    try {
      await navigator.clipboard.writeText(this.token.value);
      done = true;
    } catch {
      this.token.focus();
      this.token.select();
      try { done = document.execCommand("copy"); } catch { done = false; }
    }
    if (done) this.mark(true, "copied");
    else this.said.textContent = this.said.dataset.press;
  }

  download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${this.token.value}\n`], { type: "text/plain" }));
    link.download = this.dataset.file;
    link.click();
    URL.revokeObjectURL(link.href);
    this.mark(true, "saved");
  }

  async recipe(button) {
    const text = button.parentElement.querySelector("[data-recipe]").textContent;
    const whole = text.replaceAll(this.dataset.mask, this.token.value);
    try {
      await navigator.clipboard.writeText(whole);
      this.mark(true, "copied");
    } catch {
      this.said.textContent = this.said.dataset.press;
      this.token.focus();
      this.token.select();
    }
  }

  async test(url) {
    const body = new URLSearchParams({
      token: this.token.value,
      csrfmiddlewaretoken: this.querySelector("[name=csrfmiddlewaretoken]").value,
    });
    const answer = await fetch(url, { method: "POST", body, redirect: "error" }).catch(() => null);
    const place = this.querySelector("[data-tested]");
    if (answer === null || !answer.headers.get("content-type")?.startsWith("text/html")) place.textContent = "–";
    else place.innerHTML = await answer.text();
  }

  mark(saved, how) {
    this.saved = saved || this.saved;
    if (how) this.said.textContent = this.said.dataset[how];
    if (!how) this.saved = saved;
    this.done.setAttribute("aria-disabled", String(!this.saved));
    this.done.classList.toggle("button-main", this.saved);
    this.querySelector("[data-copy-token]").classList.toggle("button-main", !this.saved);
  }

  leave() {
    if (!this.saved) {
      this.warn(true);
      return;
    }
    this.forget();
    window.location.assign(this.dataset.after);
  }

  warn(shown) {
    this.unsaved.hidden = !shown;
    if (shown) this.unsaved.querySelector("[data-back]").focus();
    else this.token.focus();
  }

  hide() {
    this.token.value = "";
    this.querySelector("[data-shown]").hidden = true;
    this.querySelector("[data-hidden]").hidden = false;
    this.mark(true);
    this.unsaved.hidden = true;
  }

  forget() {
    this.left = true;
    this.token.value = "";
    clearTimeout(this.timer);
    window.removeEventListener("beforeunload", this.onUnload);
    window.removeEventListener("popstate", this.onBack);
    document.removeEventListener("keydown", this.onKey, true);
  }

  disconnectedCallback() {
    if (!this.isConnected && this.ready) this.forget();
  }
}

customElements.define("secret-reveal", SecretReveal);
