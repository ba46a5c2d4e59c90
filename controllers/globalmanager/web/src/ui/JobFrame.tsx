// The head of every view of a job: where one is, and the way to its other views.
import type { ComponentChildren } from "preact";
import { useLocation, useRoute } from "preact-iso";

import { jobPage, type JobName } from "../api/job";
import { mayAs, session } from "../api/session";
import { useCell } from "../lib/cell";
import { useWords } from "../words";

/** The job of the address. */
export function useJob(): JobName {
  const { params } = useRoute();
  return { namespace: params.namespace ?? "", name: params.name ?? "" };
}

const TABS = ["", "samples", "label", "review", "models", "datasets"] as const;
const OF_LABELLERS = new Set<string>(["label", "review"]);

interface Props {
  job: JobName;
  /** Beside the name: a chip, buttons. */
  side?: ComponentChildren;
  children: ComponentChildren;
}

export function JobFrame({ job, side, children }: Props) {
  const t = useWords();
  const { path } = useLocation();
  const root = jobPage(job);
  const labels = mayAs(useCell(session), "labeller");
  return (
    <main id="main" class="page">
      <div class="stack">
        <nav class="crumbs" aria-label={t("nav.where")}>
          <a href="/ui/">{t("nav.jobs")}</a>
          <span aria-hidden="true">/</span>
          <span class="clip">{job.namespace}</span>
        </nav>
        <div class="page-head">
          <h1 class="break">{job.name}</h1>
          {side}
        </div>
        <nav class="tabs" aria-label={t("nav.job")}>
          {TABS.filter((tab) => labels || !OF_LABELLERS.has(tab)).map((tab) => {
            const href = tab ? `${root}/${tab}` : root;
            const here = tab ? path.startsWith(href) : path === href;
            return (
              <a key={tab} href={href} aria-current={here ? "page" : undefined}>
                {t(tab ? `tab.${tab}` : "tab.overview")}
              </a>
            );
          })}
        </nav>
      </div>
      {children}
    </main>
  );
}
