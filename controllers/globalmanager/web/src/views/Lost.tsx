import { useWords } from "../words";
import { Empty } from "../ui/parts";

export function Lost() {
  const t = useWords();
  return (
    <main id="main" class="page">
      <Empty icon="help" title={t("lost.title")}>
        <a href="/ui/">{t("lost.home")}</a>
      </Empty>
    </main>
  );
}
