// The state of a job as a coloured word.
import { useWords, type Word } from "../words";
import { Chip, type Tone } from "./parts";

const TONES: Record<string, Tone> = {
  Waiting: "plain",
  Paused: "warn",
  Training: "busy",
  Evaluating: "busy",
  Judging: "busy",
  Deploying: "busy",
  Degraded: "bad",
};

const OUTCOMES: Record<string, Tone> = {
  Deployed: "good",
  Rejected: "plain",
  Inconclusive: "warn",
  Failed: "bad",
};

export function PhaseChip({ phase }: { phase: string }) {
  const t = useWords();
  const tone = TONES[phase];
  return (
    <Chip tone={tone ?? "plain"} dot>
      {tone ? t(`phase.${phase}` as Word) : phase}
    </Chip>
  );
}

export function OutcomeChip({ outcome }: { outcome: string | null | undefined }) {
  const t = useWords();
  if (!outcome) return <Chip tone="busy" dot>{t("outcome.running")}</Chip>;
  return <Chip tone={OUTCOMES[outcome] ?? "plain"}>{OUTCOMES[outcome] ? t(`outcome.${outcome}` as Word) : outcome}</Chip>;
}
