// What surrounds every view: the bar, the sign-in over unfinished work, the notes.
import type { ComponentChildren } from "preact";
import { useLocation } from "preact-iso";

import { mayAs, session, userName } from "../api/session";
import { useCell } from "../lib/cell";
import { cx } from "../lib/classes";
import { language, theme, type Theme } from "../lib/settings";
import { liveState } from "../live/stream";
import { useWords } from "../words";
import { Dialog } from "./Dialog";
import { Icon, type IconName } from "./Icon";
import { Button } from "./parts";
import { SignInForm } from "./SignIn";
import { SignOut, Unsent } from "./SignOut";
import { Toasts } from "./toasts";

const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const SIGN: Record<Theme, IconName> = { auto: "auto", light: "sun", dark: "moon" };

export function Shell({ children }: { children: ComponentChildren }) {
  const t = useWords();
  const state = useCell(session);
  const ended = state.kind === "ended";
  return (
    <>
      <a class="skip-link" href="#main">
        {t("skip")}
      </a>
      <Bar />
      {children}
      {ended && (
        <Dialog title={t("session.ended")}>
          <p>{t("session.kept")}</p>
          <SignInForm user={state.user} />
        </Dialog>
      )}
      <Toasts />
    </>
  );
}

function Bar() {
  const t = useWords();
  const { path } = useLocation();
  const state = useCell(session);
  const known = state.kind === "in" || state.kind === "ended";
  const links: [string, string, boolean][] = [
    ["/ui/", t("nav.jobs"), path === "/ui/" || path === "/ui" || path.startsWith("/ui/jobs")],
    ["/ui/edges", t("nav.edges"), path.startsWith("/ui/edges")],
  ];
  if (mayAs(state, "admin")) links.push(["/ui/people", t("nav.people"), path.startsWith("/ui/people")]);
  return (
    <header class="top">
      <a class="brand" href="/ui/" aria-label="Sedna">
        <img src="/ui/icon.svg" alt="" width="26" height="26" />
        <span>Sedna</span>
      </a>
      {known && (
        <nav aria-label={t("nav.main")}>
          {links.map(([href, text, here]) => (
            <a key={href} href={href} aria-current={here ? "page" : undefined}>
              {text}
            </a>
          ))}
        </nav>
      )}
      <div class="tools">
        {known && <Unsent />}
        {known && <Live />}
        <Preferences />
        {known && (
          <>
            <span class="who" title={userName(state)}>
              <Icon name="people" size={16} />
              <span class="clip">{userName(state)}</span>
            </span>
            <SignOut />
          </>
        )}
      </div>
    </header>
  );
}

function Live() {
  const t = useWords();
  const state = useCell(liveState);
  const text = t(`live.${state}`);
  return (
    <span class="row" role="status" title={text}>
      <span class={cx("dot", state === "live" ? "good" : "warn", state !== "live" && "pulse")} />
      <span class="unseen">{text}</span>
    </span>
  );
}

function Preferences() {
  const t = useWords();
  const tongue = useCell(language);
  const look = useCell(theme);
  return (
    <>
      <Button
        look="quiet"
        icon="globe"
        label={t("language.other")}
        lang={tongue === "en" ? "zh-Hans" : "en"}
        onClick={() => language.set(tongue === "en" ? "zh" : "en")}
      >
        {tongue === "en" ? "中文" : "EN"}
      </Button>
      <Button look="quiet" icon={SIGN[look]} label={t(`theme.${look}`)} onClick={() => theme.set(NEXT[look])} />
    </>
  );
}
