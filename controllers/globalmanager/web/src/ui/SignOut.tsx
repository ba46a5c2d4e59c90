// The way out: what was said goes to the service first, and what cannot go is no surprise later.
import { useState } from "preact/hooks";

import { session, signOut, userName } from "../api/session";
import { mail, unsent, type Post } from "../label/post";
import { useCell } from "../lib/cell";
import { useWords } from "../words";
import { Dialog } from "./Dialog";
import { Button, Chip } from "./parts";
import { toastError } from "./toasts";

export function SignOut() {
  const t = useWords();
  const user = userName(useCell(session));
  const [busy, setBusy] = useState(false);
  const [left, setLeft] = useState(0);
  const out = () => signOut().then(() => setLeft(0), toastError);
  const leave = async () => {
    setBusy(true);
    // A store that cannot be read keeps nobody here.
    const count = await unsent(user).catch((error: unknown) => (toastError(error), 0));
    setBusy(false);
    if (count === 0) return out();
    setLeft(count);
  };
  return (
    <>
      <Button icon="out" look="quiet" label={t("session.out")} disabled={busy} onClick={() => void leave()} />
      {left > 0 && (
        <Dialog title={t("session.unsent", { n: left })} onClose={() => setLeft(0)}>
          <p>{t("session.unsentNote")}</p>
          <div class="dialog-foot">
            <Button onClick={() => void out()}>{t("session.outAnyway")}</Button>
            <Button look="primary" onClick={() => setLeft(0)}>{t("session.stay")}</Button>
          </div>
        </Dialog>
      )}
    </>
  );
}

/** In the bar of every view: what still waits, so that nobody closes the browser on it. */
export function Unsent() {
  const post = useCell(mail);
  return post && <Count post={post} />;
}

function Count({ post }: { post: Post }) {
  const t = useWords();
  const entries = useCell(post.entries);
  if (entries.length === 0) return null;
  const text = t("label.unsent", { n: entries.length });
  return (
    <span class="unsent" role="status" title={text}>
      <Chip tone="warn" dot><span class="clip">{text}</span></Chip>
    </span>
  );
}
