// Short notes in a corner: what went wrong, or what was done. Trouble stays until it is closed.
import { cell, useCell } from "../lib/cell";
import { cx } from "../lib/classes";
import { t as speak, useWords } from "../words";
import { Button, sentence } from "./parts";

interface Toast {
  id: number;
  tone: "good" | "bad" | "plain";
  text: string;
}

const shown = cell<readonly Toast[]>([]);
let nextId = 1;
const SECONDS = 6;

export function toast(text: string, tone: Toast["tone"] = "plain"): void {
  const id = nextId++;
  const others = shown.get().filter((one) => one.text !== text);
  shown.set([...others.slice(-3), { id, tone, text }]);
  if (tone !== "bad") setTimeout(() => close(id), SECONDS * 1000);
}

export function toastError(error: unknown): void {
  toast(sentence(error, speak), "bad");
}

function close(id: number): void {
  shown.set(shown.get().filter((one) => one.id !== id));
}

export function Toasts() {
  const t = useWords();
  const toasts = useCell(shown);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.map((one) => (
        <div key={one.id} class={cx("toast", one.tone)}>
          <div>{one.text}</div>
          <Button icon="close" look="quiet" small label={t("close")} onClick={() => close(one.id)} />
        </div>
      ))}
    </div>
  );
}
