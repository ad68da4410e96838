/* Asks the browser for a passkey, or for a new one, and sends what that has signed as an ordinary form. */

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
const text = (buffer) => {
  const characters = Array.from(new Uint8Array(buffer), (each) => String.fromCharCode(each)).join("");
  return btoa(characters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};
const named = (list) => (list ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

async function create(asked) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...asked,
      challenge: bytes(asked.challenge),
      user: { ...asked.user, id: bytes(asked.user.id) },
      excludeCredentials: named(asked.excludeCredentials),
    },
  });
  const { response } = made;
  return {
    ...common(made),
    response: {
      clientDataJSON: text(response.clientDataJSON),
      attestationObject: text(response.attestationObject),
      transports: response.getTransports?.() ?? [],
    },
  };
}

async function get(asked) {
  const used = await navigator.credentials.get({
    publicKey: { ...asked, challenge: bytes(asked.challenge), allowCredentials: named(asked.allowCredentials) },
  });
  const { response } = used;
  return {
    ...common(used),
    response: {
      clientDataJSON: text(response.clientDataJSON),
      authenticatorData: text(response.authenticatorData),
      signature: text(response.signature),
      userHandle: response.userHandle ? text(response.userHandle) : null,
    },
  };
}

function common(found) {
  return {
    id: found.id,
    rawId: text(found.rawId),
    type: found.type,
    clientExtensionResults: found.getClientExtensionResults(),
  };
}

class PasskeyAsk extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    if (!window.PublicKeyCredential) {
      const none = this.querySelector("[data-none]");
      if (none) none.hidden = false;
      return;
    }
    this.form.hidden = false;
    this.form.addEventListener("submit", (event) => {
      if (this.form.elements.credential.value) return;
      event.preventDefault();
      this.ask();
    });
  }

  async ask() {
    const failed = this.querySelector("[data-failed]");
    const button = this.form.querySelector("button");
    failed.hidden = true;
    button.disabled = true;
    try {
      const asked = this.dataset.url ? await this.fetched() : JSON.parse(this.dataset.options);
      const done = this.dataset.action === "create" ? await create(asked.publicKey) : await get(asked.publicKey);
      this.form.elements.credential.value = JSON.stringify(done);
      this.form.submit();
    } catch {
      // The reason is the person's or the device's; which one it was, browsers do not tell.
      failed.textContent = failed.dataset.failed;
      failed.hidden = false;
      button.disabled = false;
      button.focus();
    }
  }

  async fetched() {
    const answer = await fetch(this.dataset.url, { headers: { Accept: "application/json" }, redirect: "error" });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }
}

customElements.define("passkey-ask", PasskeyAsk);
