/* Recovery codes that are shown once: nothing is said to be saved that is not, and nothing leaves by accident. */

class RecoveryCodes extends HTMLElement {
  connectedCallback() {
    this.saved = false;
    const one = (name) => this.querySelector(`[data-${name}]`);
    this.codes = one("codes");
    this.said = one("said");
    for (const name of ["copy", "download"]) one(name).hidden = false;
    one("copy").addEventListener("click", () => this.copy());
    one("download").addEventListener("click", () => this.download());
    one("stored").addEventListener("change", (event) => { this.saved = event.target.checked; });
    this.codes.addEventListener("copy", () => {
      if (this.codes.selectionEnd - this.codes.selectionStart === this.codes.value.length) this.mark("copied");
    });
    one("done").addEventListener("click", (event) => {
      if (this.saved) return;
      event.preventDefault();
      this.said.textContent = this.said.dataset.first;
    });
    window.addEventListener("beforeunload", (event) => { if (!this.saved) event.preventDefault(); });
    this.querySelector("#heading").focus();
  }

  mark(how) {
    this.saved = true;
    this.said.textContent = this.said.dataset[how];
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.codes.value);
      this.mark("copied");
    } catch {
      this.codes.focus();
      this.codes.select();
      let done = false;
      try { done = document.execCommand("copy"); } catch { done = false; }
      if (done) this.mark("copied");
      else this.said.textContent = this.said.dataset.press;
    }
  }

  download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${this.codes.value}\n`], { type: "text/plain" }));
    link.download = "retinue-recovery-codes.txt";
    link.click();
    URL.revokeObjectURL(link.href);
    this.mark("saved");
  }
}

customElements.define("recovery-codes", RecoveryCodes);
