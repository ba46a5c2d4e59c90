// Why no round starts: each condition of the trigger with what it saw.
import type { HomeJob } from "../api/types";
import { cx } from "../lib/classes";
import { Icon } from "../ui/Icon";
import { useWords } from "../words";

function shown(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toFixed(3);
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function Why({ trigger }: { trigger: HomeJob["trigger"] }) {
  const t = useWords();
  return (
    <div class="stack">
      <p class="break">{trigger.sentence}</p>
      <ul class="why">
        {trigger.findings.map((finding, at) => (
          <li key={at} class={cx("why-row", finding.holds ? "good" : "bad")}>
            <Icon name={finding.holds ? "check" : "close"} size={16} />
            <span class="unseen">{finding.holds ? t("why.holds") : t("why.fails")}</span>
            <div>
              <p class="break">{finding.reason}</p>
              <p class="small faint numbers break">
                {Object.entries(finding.observed)
                  .map(([name, value]) => `${name} = ${shown(value)}`)
                  .join("  ·  ")}
              </p>
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}
