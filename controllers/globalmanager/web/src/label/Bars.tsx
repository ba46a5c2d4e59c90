// Above and below the picture: where one is, and a button for everything that has a key.
import { jobPage } from "../api/job";
import { cx } from "../lib/classes";
import { count } from "../lib/format";
import { Icon, type IconName } from "../ui/Icon";
import { Button } from "../ui/parts";
import { useWords, type Word } from "../words";
import { pendingOf } from "./annotation";
import type { Desk, DeskState } from "./desk";
import type { Action } from "./keys";
import { ORDERS, type Order } from "./tasks";
import { mayDo, type Failure } from "./usePicture";

interface HeadProps {
  desk: Desk;
  state: DeskState;
  onHelp: () => void;
}

export function LabelHead({ desk, state, onHelp }: HeadProps) {
  const t = useWords();
  const { job } = desk;
  const task = state.tasks[state.at];
  return (
    <div class="bench-head">
      <a class="button quiet small" href={jobPage(job)}>
        <Icon name="back" size={16} />
        {job.name}
      </a>
      <h1 class="numbers">{t("label.left", { n: count(state.left) })}</h1>
      {state.tasks.length > 1 && (
        <span class="small faint numbers">{t("label.held", { at: state.at + 1, n: state.tasks.length })}</span>
      )}
      <span class="push" />
      <Saved state={state} />
      {task?.kind === null && (
        <select
          class="select small"
          aria-label={t("label.kind")}
          value={state.kind}
          onChange={(event) => desk.setKind(event.currentTarget.value === "class" ? "class" : "boxes")}
        >
          <option value="boxes">{t("label.kind.boxes")}</option>
          <option value="class">{t("label.kind.class")}</option>
        </select>
      )}
      <label class="row small soft">
        <span class="order-word">{t("label.order")}</span>
        <select
          class="select small"
          aria-label={t("label.order")}
          value={state.order ?? ""}
          onChange={(event) => void desk.setOrder(event.currentTarget.value as Order)}
        >
          {state.order === null && <option value="">{t("order.job")}</option>}
          {ORDERS.map((order) => (
            <option key={order} value={order}>{t(`order.${order}`)}</option>
          ))}
        </select>
      </label>
      <Button small look="quiet" icon="help" label={t("key.help")} onClick={onHelp} />
    </div>
  );
}

function Saved({ state }: { state: DeskState }) {
  const t = useWords();
  const tone = state.draft === "saved" ? "good" : state.draft === "lost" ? "bad" : "warn";
  return (
    <span class="row small soft" role="status">
      <span class={cx("dot", tone)} />
      {t(`draft.${state.draft}`)}
    </span>
  );
}

interface ButtonsProps {
  act: (action: Action) => void;
  state: DeskState;
  contrast: number;
  hidden: boolean;
  /** Of the picture. */
  failure: Failure | null;
}

type Plain = Exclude<Action["do"], "class" | "move" | "size">;

export function Buttons({ act, state, contrast, hidden, failure }: ButtonsProps) {
  const t = useWords();
  const { work, question } = state;
  const pending = work ? pendingOf(work.now) : 0;
  const tool = (what: Plain, icon: IconName, disabled = false, pressed?: boolean) => (
    <Button
      small
      look="quiet"
      icon={icon}
      label={t(`key.${what}` as Word)}
      disabled={disabled}
      aria-pressed={pressed}
      onClick={() => act({ do: what })}
    />
  );
  const answer = (what: Plain, key: string) => (
    <Button small disabled={!mayDo(what, failure)} onClick={() => act({ do: what })}>
      {t(`key.${what}` as Word)} <kbd>{key}</kbd>
    </Button>
  );
  return (
    <div class="stage-foot">
      {question && (
        <p class="question" role="alert">
          {t(`ask.${question}`, { n: pending })}
        </p>
      )}
      <div class="tools">
        {tool("undo", "undo", !work || work.past.length === 0)}
        {tool("redo", "redo", !work || work.future.length === 0)}
        {tool("fit", "fit")}
        {tool("contrast", "contrast", false, contrast > 0)}
        {tool("hide", "eye", false, hidden)}
        {state.canTakeBack && tool("takeBack", "back")}
        <span class="push" />
        {pending > 0 && (
          <Button small onClick={() => act({ do: "acceptAll" })}>
            {t("label.acceptAll", { n: pending })} <kbd>A</kbd>
          </Button>
        )}
        {answer("skip", "S")}
        {answer("unsure", "U")}
        {answer("bad", "Z")}
        {answer("nothing", "X")}
        <Button small look="primary" disabled={!mayDo("submit", failure)} onClick={() => act({ do: "submit" })}>
          <span>{t("label.next")}</span> <kbd>↵</kbd>
        </Button>
      </div>
    </div>
  );
}
