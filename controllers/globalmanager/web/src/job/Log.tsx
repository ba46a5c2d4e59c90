// What the worker of a round writes, while it runs and afterwards.
import { useEffect, useRef, useState } from "preact/hooks";

import { ApiError } from "../api/errors";
import type { JobName } from "../api/job";
import { roundLog } from "../api/reads";
import { Chip, ErrorNotice } from "../ui/parts";
import { useWords } from "../words";

const FIRST_BYTES = 32_000;
const LONGEST = 200_000;
const PERIOD_MS = 2000;

export function Log({ job, round }: { job: JobName; round: number }) {
  const t = useWords();
  const [text, setText] = useState("");
  const [live, setLive] = useState(false);
  const [none, setNone] = useState(false);
  const [error, setError] = useState<unknown>();
  const box = useRef<HTMLPreElement>(null);
  const { namespace, name } = job;

  useEffect(() => {
    setText("");
    setNone(false);
    setError(undefined);
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let offset = -FIRST_BYTES;
    let worker = "";
    const read = async () => {
      try {
        const part = await roundLog({ namespace, name }, round, offset, ending.signal);
        const another = worker !== "" && worker !== part.worker;
        worker = part.worker;
        offset = another ? 0 : part.next_offset; // the next attempt begins anew
        if (!another) setText((old) => (old + part.text).slice(-LONGEST));
        setLive(!part.ended);
        setNone(!part.kept);
        setError(undefined);
        if (!part.ended) timer = setTimeout(read, PERIOD_MS);
      } catch (failed) {
        if (ending.signal.aborted) return;
        if (failed instanceof ApiError && failed.status === 404) setNone(true);
        else setError(failed);
        timer = setTimeout(read, 3 * PERIOD_MS);
      }
    };
    void read();
    return () => (ending.abort(), clearTimeout(timer));
  }, [namespace, name, round]);

  useEffect(() => {
    const element = box.current;
    // It follows the end unless somebody reads further up.
    if (element && element.scrollHeight - element.scrollTop - element.clientHeight < 120) {
      element.scrollTop = element.scrollHeight;
    }
  }, [text]);

  return (
    <div class="stack">
      <div class="row">
        <h2>{t("log.title", { n: round })}</h2>
        {live && <Chip tone="busy" dot>{t("log.live")}</Chip>}
      </div>
      {error !== undefined && <ErrorNotice error={error} />}
      <pre ref={box} class="log" tabIndex={0} aria-label={t("log.title", { n: round })}>
        {text || (none ? t("log.none") : t("log.empty"))}
      </pre>
    </div>
  );
}
