// Small parts that every view uses.
import type { ButtonHTMLAttributes, ComponentChildren } from "preact";

import { ApiError, OfflineError } from "../api/errors";
import { cx } from "../lib/classes";
import { ago, moment } from "../lib/format";
import type { Query } from "../lib/query";
import { useWords, type Speak } from "../words";
import { Icon, type IconName } from "./Icon";

export type Tone = "plain" | "good" | "warn" | "bad" | "busy";

export function Chip({ tone = "plain", dot, children }: { tone?: Tone; dot?: boolean; children: ComponentChildren }) {
  return (
    <span class={cx("chip", tone)}>
      {dot && <span class={cx("dot", tone)} />}
      {children}
    </span>
  );
}

interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "icon" | "label"> {
  icon?: IconName;
  look?: "primary" | "quiet" | "danger" | "plain";
  small?: boolean;
  /** With an icon alone, this is its name. */
  label?: string;
}

export function Button({ icon, look = "plain", small, label, children, ...rest }: ButtonProps) {
  const bare = children === undefined || children === null;
  return (
    <button
      type="button"
      class={cx("button", look, small && "small", bare && "icon")}
      aria-label={label}
      title={label}
      {...rest}
    >
      {icon && <Icon name={icon} size={small ? 16 : 18} />}
      {children}
    </button>
  );
}

export function Notice({ tone = "bad", children }: { tone?: "bad" | "warn" | "plain"; children: ComponentChildren }) {
  return (
    <div class={cx("notice", tone)} role={tone === "bad" ? "alert" : "status"}>
      <Icon name="alert" />
      <div>{children}</div>
    </div>
  );
}

/** What a person is told about an error. */
export function sentence(error: unknown, t: Speak): string {
  if (error instanceof OfflineError) return t("error.offline");
  if (error instanceof ApiError) {
    if (error.status === 401) return t("error.session");
    return error.hint ? `${error.message} (${error.hint})` : error.message;
  }
  return error instanceof Error ? error.message : String(error);
}

export function ErrorNotice({ error, retry }: { error: unknown; retry?: () => void }) {
  const t = useWords();
  return (
    <Notice>
      <p>{sentence(error, t)}</p>
      {retry && (
        <p>
          <Button small onClick={retry}>
            {t("again")}
          </Button>
        </p>
      )}
    </Notice>
  );
}

export function Empty({ icon = "inbox", title, children }: { icon?: IconName; title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} size={32} />
      <p>
        <strong>{title}</strong>
      </p>
      {children}
    </div>
  );
}

export function Bones({ rows = 3, height = 56 }: { rows?: number; height?: number }) {
  const t = useWords();
  return (
    <div class="stack" role="status" aria-label={t("loading")}>
      {Array.from({ length: rows }, (_, at) => (
        <div key={at} class="bone" style={{ height: `${height}px` }} />
      ))}
    </div>
  );
}

/** The data of a query, its bones while it loads, or what went wrong. Old data stays while it is renewed. */
export function Loaded<T>({ query, bones, children }: { query: Query<T>; bones?: ComponentChildren; children: (data: T) => ComponentChildren }) {
  if (query.data !== undefined) {
    return (
      <>
        {query.error !== undefined && <ErrorNotice error={query.error} retry={query.reload} />}
        {children(query.data)}
      </>
    );
  }
  if (query.error !== undefined) return <ErrorNotice error={query.error} retry={query.reload} />;
  return <>{bones ?? <Bones />}</>;
}

export function Ago({ at }: { at: string | null | undefined }) {
  const t = useWords();
  if (!at) return <>{t("never")}</>;
  return (
    <time dateTime={at} title={moment(at)}>
      {ago(at)}
    </time>
  );
}

export function Facts({ pairs }: { pairs: readonly (readonly [string, ComponentChildren] | null)[] }) {
  return (
    <dl class="facts">
      {pairs.map(
        (pair) =>
          pair && (
            <>
              <dt>{pair[0]}</dt>
              <dd>{pair[1]}</dd>
            </>
          ),
      )}
    </dl>
  );
}

export function Meter({ share, label }: { share: number; label: string }) {
  const whole = Math.round(Math.min(Math.max(share, 0), 1) * 100);
  return (
    <div class="meter" role="progressbar" aria-label={label} aria-valuenow={whole} aria-valuemin={0} aria-valuemax={100}>
      <div style={{ width: `${whole}%` }} />
    </div>
  );
}
