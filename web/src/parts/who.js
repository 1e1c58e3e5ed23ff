// Who is asking, and how to be somebody: a token of the command line becomes a cookie that no script can read.
import { signIn, signOut } from "../api.js";
import { html, useState } from "../html.js";

export function SignIn({ session }) {
  const [token, put] = useState("");
  const [failed, setFailed] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    try {
      await signIn(token.trim());
      put("");
      session.begin();
    } catch (error) {
      setFailed(error);
    }
  };
  return html`<form class="panel signin" onSubmit=${submit}>
    <h1>Sign in</h1>
    <p>This server shows its runs to those who have a token. <code>sluice token create NAME --role operator</code> prints one.</p>
    <label>Token <input type="password" value=${token} autocomplete="off" spellcheck=${false} onInput=${(e) => put(e.target.value)} /></label>
    <p class="refused" role="alert">${failed?.message ?? ""}</p>
    <button class="main" disabled=${!token.trim()}>Sign in</button>
  </form>`;
}

export function Who({ session }) {
  const [open, setOpen] = useState(false);
  const { who } = session;
  if (!who) return html`<span class="who"></span>`;
  const name = who.name ? `${who.name}, ${who.role}` : "nobody is signed in";
  return html`<span class="who"><span class="muted">${name}</span>
    ${who.anonymous ? html`<button class="small" onClick=${() => setOpen(true)}>Sign in</button>` : html`<button class="small" onClick=${() => signOut().finally(() => session.begin())}>Sign out</button>`}
    ${open && who.anonymous && html`<div class="popover"><${SignIn} session=${session} /><button class="small" onClick=${() => setOpen(false)}>Close</button></div>`}
  </span>`;
}
