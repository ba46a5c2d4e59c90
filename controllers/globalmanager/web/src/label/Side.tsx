// Beside the picture: the classes, and what is on it as a list.
import { useEffect, useRef, useState } from "preact/hooks";

import { cx } from "../lib/classes";
import { Button, Chip } from "../ui/parts";
import { useWords } from "../words";
import type { Annotation, Mark, Suggestion } from "./annotation";
import { className, colourOf } from "./palette";
import type { Kind } from "./tasks";

function keyOf(index: number): string {
  if (index < 10) return String((index + 1) % 10);
  return index < 20 ? `⇧${(index + 1) % 10}` : "";
}

interface ClassProps {
  classes: readonly string[];
  kind: Kind;
  brush: number;
  label: number | null;
  suggestion: Suggestion | null;
  finding: boolean;
  onChoose: (label: number) => void;
  onFound: () => void;
}

export function ClassList(props: ClassProps) {
  const { classes, kind, brush, label, suggestion, finding, onChoose, onFound } = props;
  const t = useWords();
  const [text, setText] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (finding) input.current?.focus();
    else setText("");
  }, [finding]);
  const wanted = text.trim().toLowerCase();
  const found = classes.map((name, index) => ({ name, index })).filter(({ name }) => name.toLowerCase().includes(wanted));
  const chosen = kind === "class" ? label : brush;
  const take = (event: Event) => {
    event.preventDefault();
    const first = found[0];
    if (first) onChoose(first.index);
    leave();
  };
  /** Also where the field is always there: the whole list again, and the picture has the keys. */
  const leave = () => {
    setText("");
    input.current?.blur();
    onFound();
  };
  return (
    <section class="side-part" aria-label={t("label.classes")}>
      <h2>{t("label.classes")}</h2>
      {(finding || classes.length > 12) && (
        <form onSubmit={take}>
          <input
            ref={input}
            class="input small"
            type="search"
            aria-label={t("key.find")}
            placeholder={t("label.find")}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
            onKeyDown={(event) => event.key === "Escape" && leave()}
          />
        </form>
      )}
      <ul class="class-list">
        {found.map(({ name, index }) => (
          <li key={index}>
            <button
              type="button"
              class={cx("class-button", suggestion?.label === index && label === null && "suggested")}
              aria-pressed={chosen === index}
              onClick={() => onChoose(index)}
            >
              <span class="swatch" style={{ background: colourOf(index) }} />
              <span class="clip">{name}</span>
              {suggestion?.label === index && kind === "class" && (
                <span class="faint small numbers">{suggestion.score?.toFixed(2)}</span>
              )}
              {keyOf(index) && <kbd>{keyOf(index)}</kbd>}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface BoxProps {
  now: Annotation;
  selected: number | null;
  classes: readonly string[];
  onSelect: (id: number) => void;
  onAccept: (id: number) => void;
  onRemove: (id: number) => void;
}

const SHOWN = 300;

export function BoxList({ now, selected, classes, onSelect, onAccept, onRemove }: BoxProps) {
  const t = useWords();
  const { marks } = now;
  return (
    <section class="side-part grow" aria-label={t("label.boxes")}>
      <h2 class="row">
        {t("label.boxes")} <Chip>{marks.length}</Chip>
      </h2>
      {marks.length === 0 && <p class="small soft">{t("label.noBoxes")}</p>}
      <ol class="box-list">
        {marks.slice(0, SHOWN).map((mark, at) => (
          <li key={mark.id} class={cx("box-row", mark.id === selected && "chosen", mark.pending && "pending")}>
            <button type="button" class="box-name" aria-pressed={mark.id === selected} title={placeOf(mark)} onClick={() => onSelect(mark.id)}>
              <span class="swatch" style={{ background: colourOf(mark.label) }} />
              <span class="clip">{className(classes, mark.label)}</span>
              <span class="faint small numbers">{extentOf(mark)}</span>
            </button>
            {mark.pending && (
              <>
                <span class="small soft numbers">{mark.score?.toFixed(2)}</span>
                <Button small look="quiet" icon="check" label={t("label.take", { n: at + 1 })} onClick={() => onAccept(mark.id)} />
              </>
            )}
            <Button small look="quiet" icon="close" label={t("label.remove", { n: at + 1 })} onClick={() => onRemove(mark.id)} />
          </li>
        ))}
      </ol>
      {marks.length > SHOWN && <p class="small soft">{t("label.more", { n: marks.length - SHOWN })}</p>}
    </section>
  );
}

export function placeOf(mark: Mark): string {
  return `${pixels(mark.x1)},${pixels(mark.y1)} ${extentOf(mark)}`;
}

function extentOf(mark: Mark): string {
  return `${pixels(mark.x2 - mark.x1)}×${pixels(mark.y2 - mark.y1)}`;
}

/** Models draw between pixels, and their digits say nothing. */
function pixels(value: number): number {
  return Math.round(value * 10) / 10;
}
