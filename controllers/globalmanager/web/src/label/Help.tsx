import { letterKeys } from "../lib/settings";
import { useCell } from "../lib/cell";
import { Dialog } from "../ui/Dialog";
import { useWords } from "../words";
import { HELP } from "./keys";

export function Help({ onClose }: { onClose: () => void }) {
  const t = useWords();
  const letters = useCell(letterKeys);
  return (
    <Dialog title={t("help.title")} wide onClose={onClose}>
      <label class="check">
        <input
          type="checkbox"
          checked={letters === "on"}
          onChange={(event) => letterKeys.set(event.currentTarget.checked ? "on" : "off")}
        />
        {t("help.letters")}
      </label>
      <dl class="key-table">
        {HELP.map(({ keys, word }) => (
          <div key={word}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{t(word)}</dd>
          </div>
        ))}
      </dl>
      <p class="small soft">{t("help.mouse")}</p>
      <p class="small soft">{t("help.touch")}</p>
    </Dialog>
  );
}
