// Sign-in by a one-time link (/ui/login#CODE) or by a token.
import { useEffect, useState } from "preact/hooks";
import { useLocation } from "preact-iso";

import { ApiError } from "../api/errors";
import { loadSession, session, signIn } from "../api/session";
import { useCell } from "../lib/cell";
import { Bones, Notice, sentence } from "../ui/parts";
import { SignInForm } from "../ui/SignIn";
import { useWords } from "../words";

/** The code leaves the address at once: it must not stay in the history of the browser. */
function takeCode(): string {
  const code = location.hash.slice(1);
  if (code) history.replaceState(null, "", location.pathname);
  return code;
}

export function Login() {
  const t = useWords();
  const { route } = useLocation();
  const { kind } = useCell(session);
  const [code] = useState(takeCode);
  const [trying, setTrying] = useState(code !== "");
  const [error, setError] = useState<unknown>();
  const atDoor = location.pathname.endsWith("/login");

  useEffect(() => {
    if (!code) return;
    signIn({ code })
      .catch(async (failed: unknown) => {
        setError(failed);
        await loadSession(); // somebody who is signed in already and uses an old link goes on
      })
      .catch(setError)
      .finally(() => setTrying(false));
  }, [code]);
  useEffect(() => {
    if (kind === "in" && atDoor) route("/ui/", true);
  }, [kind, atDoor, route]);

  return (
    <main id="main" class="door">
      <div class="card">
        <div class="card-body stack-l">
          <div class="stack">
            <img src="/ui/icon.svg" alt="" width="44" height="44" />
            <h1>{t("login.title")}</h1>
          </div>
          {error !== undefined && (
            <Notice>{error instanceof ApiError && error.status === 401 ? t("login.used") : sentence(error, t)}</Notice>
          )}
          {trying ? <Bones rows={2} height={38} /> : <SignInForm />}
        </div>
      </div>
    </main>
  );
}
