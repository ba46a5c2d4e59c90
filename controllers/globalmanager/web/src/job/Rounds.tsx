// Rounds as a table; the chosen one shows its verdict beside it.
import type { RoundRow } from "../api/types";
import { duration, figure, signed } from "../lib/format";
import { Ago } from "../ui/parts";
import { OutcomeChip } from "../ui/phase";
import { useWords, type Word } from "../words";

interface Props {
  rounds: readonly RoundRow[];
  chosen: number | null;
  onChoose: (round: number) => void;
}

function took(row: RoundRow): string {
  if (!row.ended_at) return "–";
  return duration((new Date(row.ended_at).getTime() - new Date(row.started_at).getTime()) / 1000);
}

export function Rounds({ rounds, chosen, onChoose }: Props) {
  const t = useWords();
  return (
    <div class="table-frame rounds">
      <table class="table">
        <thead>
          <tr>
            <th>{t("rounds.round")}</th>
            <th>{t("rounds.outcome")}</th>
            <th class="num">{t("rounds.value")}</th>
            <th class="num">{t("rounds.difference")}</th>
            <th class="num">{t("rounds.model")}</th>
            <th class="num">{t("rounds.took")}</th>
            <th>{t("rounds.started")}</th>
            <th>{t("rounds.reason")}</th>
          </tr>
        </thead>
        <tbody>
          {rounds.map((row) => {
            const { verdict } = row;
            const both = typeof verdict?.candidate === "number" && typeof verdict.champion === "number";
            return (
              <tr key={row.round} aria-selected={row.round === chosen}>
                <th scope="row">
                  <button type="button" class="button small quiet" aria-pressed={row.round === chosen} onClick={() => onChoose(row.round)}>
                    {row.round} · {t(`kind.${row.kind}` as Word)}
                  </button>
                </th>
                <td>
                  <OutcomeChip outcome={row.outcome} />
                </td>
                <td class="num">{figure(verdict?.candidate)}</td>
                <td class="num">
                  {both ? signed((verdict.candidate ?? 0) - (verdict.champion ?? 0)) : "–"}
                  {verdict?.interval && (
                    <span class="faint"> [{signed(verdict.interval.low, 2)}, {signed(verdict.interval.high, 2)}]</span>
                  )}
                </td>
                <td class="num">{row.candidate ? `v${row.candidate}` : "–"}</td>
                <td class="num">{took(row)}</td>
                <td><Ago at={row.started_at} /></td>
                <td class="reason">{row.outcome ? row.outcome_reason : row.reason}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
