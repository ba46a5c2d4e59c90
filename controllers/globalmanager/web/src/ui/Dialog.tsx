// A modal dialog on the browser's own element: focus stays in it, Escape closes it, what is below is out of reach.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

import { cx } from "../lib/classes";
import { useWords } from "../words";
import { Button } from "./parts";

interface Props {
  title: string;
  /** None: it cannot be left without an answer. */
  onClose?: () => void;
  wide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, wide, children }: Props) {
  const t = useWords();
  const id = useId();
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement || before instanceof SVGElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={cx("dialog", wide && "wide")}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onClick={(event) => event.target === element.current && onClose?.()}
      onKeyDown={(event) => {
        event.stopPropagation();
        // Browsers let a page keep a dialog open by "cancel" once; a second Escape closes it all the same.
        if (event.key === "Escape" && !onClose) event.preventDefault();
      }}
    >
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        <span class="push" />
        {onClose && <Button icon="close" look="quiet" small label={t("close")} onClick={onClose} />}
      </div>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}
