// Tokens with their roles, and links that sign a browser in.
import { useState } from "preact/hooks";

import { call } from "../api/client";
import { listTokens } from "../api/reads";
import { session, userName } from "../api/session";
import type { TokenRow } from "../api/types";
import { useCell } from "../lib/cell";
import { moment } from "../lib/format";
import { useQuery } from "../lib/query";
import { useTitle } from "../lib/title";
import { Dialog } from "../ui/Dialog";
import { Ago, Button, Chip, ErrorNotice, Loaded, type Tone } from "../ui/parts";
import { toastError } from "../ui/toasts";
import { useWords, type Speak, type Word } from "../words";

const TONES: Record<string, Tone> = { admin: "busy", labeller: "good", viewer: "plain" };
const PEOPLE = new Set(["admin", "labeller", "viewer"]);

/** A secret or a link that is shown once. */
interface Shown {
  title: string;
  text: string;
  note: string;
}

export function People() {
  const t = useWords();
  useTitle(t("nav.people"));
  const query = useQuery("tokens", listTokens, { on: (event) => event.kind.startsWith("Token") });
  const [making, setMaking] = useState(false);
  const [shown, setShown] = useState<Shown | null>(null);
  const [ending, setEnding] = useState<string | null>(null);
  const me = userName(useCell(session));
  const link = (name: string) =>
    void call<{ path: string; expires_at: string }>("POST", `/tokens/${encodeURIComponent(name)}/links`)
      .then(({ path, expires_at }) =>
        setShown({ title: t("people.linkFor", { name }), text: location.origin + path, note: t("people.linkNote", { when: moment(expires_at) }) }),
      )
      .catch(toastError);
  return (
    <main id="main" class="page">
      <div class="page-head">
        <h1>{t("nav.people")}</h1>
        <span class="push" />
        <Button look="primary" icon="people" onClick={() => setMaking(true)}>{t("people.add")}</Button>
      </div>
      <Loaded query={query}>
        {(tokens) => (
          <section class="card table-frame">
            <table class="table">
              <thead>
                <tr><th>{t("people.name")}</th><th>{t("people.role")}</th><th>{t("models.made")}</th><th>{t("people.until")}</th><th><span class="unseen">{t("models.actions")}</span></th></tr>
              </thead>
              <tbody>
                {tokens.map((token) => (
                  <Row key={token.name} token={token} mine={token.name === me} onLink={link} onEnd={setEnding} />
                ))}
              </tbody>
            </table>
          </section>
        )}
      </Loaded>
      {making && (
        <AddPerson
          onClose={() => setMaking(false)}
          onMade={(name, token) => {
            setMaking(false);
            query.reload();
            setShown({ title: t("people.tokenOf", { name }), text: token, note: t("people.tokenNote") });
          }}
        />
      )}
      {shown && <Secret shown={shown} onClose={() => setShown(null)} />}
      {ending && <EndToken name={ending} onClose={() => setEnding(null)} onDone={() => (setEnding(null), query.reload())} />}
    </main>
  );
}

interface RowProps {
  token: TokenRow;
  mine: boolean;
  onLink: (name: string) => void;
  onEnd: (name: string) => void;
}

function Row({ token, mine, onLink, onEnd }: RowProps) {
  const t = useWords();
  const over = token.revoked_at !== null || (token.expires_at !== null && new Date(token.expires_at) < new Date());
  return (
    <tr>
      <th scope="row">{token.name} {mine && <span class="faint">({t("people.you")})</span>}</th>
      <td><Chip tone={over ? "plain" : (TONES[token.role] ?? "plain")}>{roleWord(token.role, t)}{token.edge ? ` · ${token.edge}` : ""}</Chip></td>
      <td><Ago at={token.created_at} /></td>
      <td>{token.revoked_at ? <Chip tone="bad">{t("people.ended")}</Chip> : token.expires_at ? moment(token.expires_at) : t("people.open")}</td>
      <td>
        {!over && (
          <div class="row">
            {PEOPLE.has(token.role) && <Button small look="quiet" icon="arrow" onClick={() => onLink(token.name)}>{t("people.link")}</Button>}
            {!mine && <Button small look="quiet" icon="close" onClick={() => onEnd(token.name)}>{t("people.end")}</Button>}
          </div>
        )}
      </td>
    </tr>
  );
}

function roleWord(role: string, t: Speak): string {
  return PEOPLE.has(role) || role === "edge" || role === "worker" ? t(`role.${role}` as Word) : role;
}

function AddPerson({ onClose, onMade }: { onClose: () => void; onMade: (name: string, token: string) => void }) {
  const t = useWords();
  const [name, setName] = useState("");
  const [role, setRole] = useState("labeller");
  const [error, setError] = useState<unknown>();
  const submit = (event: Event) => {
    event.preventDefault();
    call<{ token: string }>("POST", "/tokens", { body: { name: name.trim(), role } }).then(({ token }) => onMade(name.trim(), token), setError);
  };
  return (
    <Dialog title={t("people.add")} onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        <div class="field">
          <label for="person-name">{t("people.name")}</label>
          <input id="person-name" class="input" required autofocus pattern="[A-Za-z0-9][A-Za-z0-9._@\-]{0,127}" title={t("people.nameRule")} value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </div>
        <fieldset class="roles">
          <legend class="label">{t("people.role")}</legend>
          {["viewer", "labeller", "admin"].map((one) => (
            <label key={one} class="check">
              <input type="radio" name="role" checked={role === one} onChange={() => setRole(one)} />
              <span><strong>{roleWord(one, t)}</strong> <span class="soft small">{t(`role.${one}.what` as Word)}</span></span>
            </label>
          ))}
        </fieldset>
        {error !== undefined && <ErrorNotice error={error} />}
        <div class="dialog-foot">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button look="primary" type="submit" disabled={name.trim() === ""}>{t("people.make")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

function EndToken({ name, onClose, onDone }: { name: string; onClose: () => void; onDone: () => void }) {
  const t = useWords();
  const [error, setError] = useState<unknown>();
  return (
    <Dialog title={t("people.endNamed", { name })} onClose={onClose}>
      <p>{t("people.endWhat")}</p>
      {error !== undefined && <ErrorNotice error={error} />}
      <div class="dialog-foot">
        <Button onClick={onClose}>{t("cancel")}</Button>
        <Button look="danger" icon="close" onClick={() => void call("DELETE", `/tokens/${encodeURIComponent(name)}`).then(onDone, setError)}>{t("people.end")}</Button>
      </div>
    </Dialog>
  );
}

function Secret({ shown, onClose }: { shown: Shown; onClose: () => void }) {
  const t = useWords();
  const [copied, setCopied] = useState(false);
  // Without https there is no clipboard: the text can be selected.
  const copy = () => void navigator.clipboard.writeText(shown.text).then(() => setCopied(true), toastError);
  return (
    <Dialog title={shown.title} onClose={onClose}>
      <textarea class="input" readOnly rows={3} aria-label={shown.title} value={shown.text} onFocus={(event) => event.currentTarget.select()} />
      <p class="small soft">{shown.note}</p>
      <div class="dialog-foot">
        {"clipboard" in navigator && <Button icon="check" onClick={copy}>{t(copied ? "copied" : "copy")}</Button>}
        <Button look="primary" onClick={onClose}>{t("close")}</Button>
      </div>
    </Dialog>
  );
}
