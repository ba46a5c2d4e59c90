// The gate's verdict as a picture: the difference with its interval, the hold-out, each check, each class.
import type { GateVerdict } from "../api/types";
import { cx } from "../lib/classes";
import { figure, percent, signed } from "../lib/format";
import { Icon } from "../ui/Icon";
import { Chip, type Tone } from "../ui/parts";
import { useWords, type Word } from "../words";
import { classChanges, gatePicture, type ClassChange } from "./figures";

const TONES: Record<string, Tone> = { better: "good", not_better: "bad", not_enough_evidence: "warn" };

export function Gate({ verdict, names }: { verdict: GateVerdict; names: readonly string[] }) {
  const t = useWords();
  const classes = classChanges(verdict, names);
  return (
    <div class="stack-l">
      <div class="row-wrap">
        <Chip tone={TONES[verdict.outcome] ?? "plain"} dot>{t(`gate.${verdict.outcome}` as Word)}</Chip>
        <span class="small soft numbers">
          {t("gate.values", {
            metric: verdict.metric, before: figure(verdict.champion), after: figure(verdict.candidate), n: verdict.samples,
          })}
        </span>
      </div>
      <Axis verdict={verdict} />
      <ul class="checks">
        {verdict.checks.map((check, at) => {
          const state = check.passed === true ? "good" : check.passed === false ? "bad" : "warn";
          return (
            <li key={at} class={cx("why-row", state)}>
              <Icon name={state === "good" ? "check" : state === "bad" ? "close" : "help"} size={16} />
              <span class="unseen">{t(`check.${state}`)}</span>
              <p class="small break">{check.reason}</p>
            </li>
          );
        })}
      </ul>
      {classes.length > 0 && <Classes classes={classes} />}
    </div>
  );
}

function Axis({ verdict }: { verdict: GateVerdict }) {
  const t = useWords();
  const picture = gatePicture(verdict);
  const { reach, difference, low, high, holdout } = picture;
  if (difference === null && holdout === null) return null;
  const x = (value: number) => 50 + (value / reach) * 50;
  const tone = low !== null && low > 0 ? "good" : high !== null && high < 0 ? "bad" : "warn";
  const text = t("gate.read", {
    difference: signed(difference), low: signed(low), high: signed(high), holdout: signed(holdout),
  });
  const held = verdict.checks.find((check) => check.name === "holdout")?.passed;
  const rows: [string, number, [number, number] | null, string][] = [];
  if (difference !== null) rows.push([t("gate.difference"), difference, low !== null && high !== null ? [low, high] : null, tone]);
  if (holdout !== null) rows.push([t("gate.holdout"), holdout, null, held === true ? "good" : held === false ? "bad" : "warn"]);
  return (
    <figure class="axis" role="img" aria-label={text}>
      {rows.map(([name, value, span, colour]) => (
        <div key={name} class={cx("axis-row", colour)}>
          <span class="small soft">{name}</span>
          <svg viewBox="0 0 100 22" preserveAspectRatio="none" height="26" width="100%">
            <line x1="50" x2="50" y1="0" y2="22" class="zero" />
            {span && <rect x={x(span[0])} width={Math.max(0.4, x(span[1]) - x(span[0]))} y="8" height="6" class="span" />}
            <line x1={x(value)} x2={x(value)} y1="11" y2="11" class="point" />
          </svg>
          <span class="small numbers">
            {signed(value)}
            {span && <span class="faint"> [{signed(span[0])}, {signed(span[1])}]</span>}
          </span>
        </div>
      ))}
      <div class="axis-row axis-ends small faint numbers">
        <span>{picture.confidence !== null && t("gate.confidence", { share: percent(picture.confidence) })}</span>
        <span class="row"><span>{signed(-reach, 2)}</span><span class="push" /><span>0</span><span class="push" /><span>{signed(reach, 2)}</span></span>
        <span />
      </div>
    </figure>
  );
}

function Classes({ classes }: { classes: readonly ClassChange[] }) {
  const t = useWords();
  return (
    <div class="table-frame">
      <table class="table class-table">
        <caption class="unseen">{t("classes.title")}</caption>
        <thead>
          <tr>
            <th>{t("classes.class")}</th>
            <th class="num">{t("classes.before")}</th>
            <th class="num">{t("classes.after")}</th>
            <th aria-hidden="true" class="class-bars-head" />
            <th class="num">{t("classes.floor")}</th>
          </tr>
        </thead>
        <tbody>
          {classes.map((one) => {
            const fell = one.before !== null && one.after !== null && one.after < one.before - 0.005;
            return (
              <tr key={one.name}>
                <th scope="row">{one.name}</th>
                <td class="num">{figure(one.before, 2)}</td>
                <td class={cx("num", fell && "fell")}>{figure(one.after, 2)}</td>
                <td class="class-bars" aria-hidden="true">
                  <svg viewBox="0 0 100 16" preserveAspectRatio="none" width="100%" height="18">
                    <rect x="0" y="1" width={(one.before ?? 0) * 100} height="6" class="before" />
                    <rect x="0" y="9" width={(one.after ?? 0) * 100} height="6" class={fell ? "after fell" : "after"} />
                    {one.floor !== null && <line x1={one.floor * 100} x2={one.floor * 100} y1="0" y2="16" class="floor" />}
                  </svg>
                </td>
                <td class="num">{figure(one.floor, 2)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
