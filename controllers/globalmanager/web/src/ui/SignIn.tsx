// The way in: the form of the door, the dialog over unfinished work, and the one-time link.
import { useState } from "preact/hooks";

import { ApiError } from "../api/errors";
import { signIn } from "../api/session";
import { useWords } from "../words";
import { Button, Notice, sentence } from "./parts";

/** A pasted link or code, or a token. */
export function proofOf(text: string): { code: string } | { token: string } {
  const given = text.trim();
  const hash = given.indexOf("#");
  return hash >= 0 ? { code: given.slice(hash + 1) } : { token: given };
}

export function SignInForm({ onDone, user }: { onDone?: () => void; user?: string }) {
  const t = useWords();
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await signIn(proofOf(text));
      onDone?.();
    } catch (failed) {
      setError(failed);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form class="stack" onSubmit={submit}>
      {user && <input type="text" hidden autocomplete="username" value={user} readOnly />}
      <div class="field">
        <label for="sign-in-token">{t("login.token")}</label>
        <input
          id="sign-in-token"
          class="input"
          type="password"
          autocomplete="current-password"
          required
          autofocus
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <p class="small soft">{t("login.where")}</p>
      </div>
      {error !== undefined && (
        <Notice>{error instanceof ApiError && error.status === 401 ? t("login.wrong") : sentence(error, t)}</Notice>
      )}
      <Button look="primary" type="submit" disabled={busy || text.trim() === ""}>
        {busy ? t("login.busy") : t("login.enter")}
      </Button>
    </form>
  );
}
