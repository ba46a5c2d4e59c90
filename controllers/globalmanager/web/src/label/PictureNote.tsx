// Where a picture should be: why it is not, and a way to try again.
import { cx } from "../lib/classes";
import { Button, sentence } from "../ui/parts";
import { useWords } from "../words";
import type { Picture } from "./usePicture";

export function PictureNote({ picture, small }: { picture: Picture; small?: boolean }) {
  const t = useWords();
  const { failure, retry } = picture;
  if (failure === null) return null;
  return (
    <div class={cx("picture-note", small && "small")} role="alert">
      <p>{t("label.noPicture")}</p>
      {!failure.asking && <p class="break">{failure.error === undefined ? t("label.noReason") : sentence(failure.error, t)}</p>}
      {!small && <p>{t(failure.spoilt ? "label.mayBeBad" : "label.notSeen")}</p>}
      <p><Button small icon="redo" onClick={retry}>{t("again")}</Button></p>
    </div>
  );
}
