// Keys of the page while somebody works on a picture.
import { useEffect } from "preact/hooks";

import { letterKeys } from "../lib/settings";
import { actionOf, mayRepeat, type Action } from "./keys";

const FIELDS = "input, textarea, select, dialog";

/** Keys count while the picture has the focus, or nothing has. In a field or a dialog they are its own. */
export function useKeys(act: (action: Action) => void, selected: () => boolean): void {
  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      const target = event.target as Element;
      if (event.defaultPrevented || target.closest(FIELDS) || document.querySelector("dialog[open]")) return;
      const onPicture = target === document.body || target.closest(".canvas") !== null;
      const letters = letterKeys.get() === "on" && onPicture;
      const action = actionOf(event, { selected: selected(), letters });
      // A held Enter would click the button under it again and again.
      if (event.repeat && event.key === "Enter" && target.closest("button")) event.preventDefault();
      // Enter on a button, arrows in a list: theirs.
      if (!action || (!onPicture && !event.ctrlKey && !event.metaKey)) return;
      event.preventDefault();
      if (!event.repeat || mayRepeat(action)) act(action);
    };
    document.addEventListener("keydown", down);
    return () => document.removeEventListener("keydown", down);
  }, [act, selected]);
}
