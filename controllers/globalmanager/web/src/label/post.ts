// The answers of a person on their way, whichever view is open: one outbox for each who signed in on this page.
import { ApiError } from "../api/errors";
import { session } from "../api/session";
import { cell, type Cell } from "../lib/cell";
import { openShelf } from "../lib/shelf";
import { toast, toastError } from "../ui/toasts";
import { t } from "../words";
import { Outbox, type Entry } from "./outbox";
import { postAnswer, type AnswerReceipt } from "./tasks";

type Heard = (entry: Entry, receipt: AnswerReceipt) => void;

export interface Post {
  outbox: Outbox;
  entries: Cell<readonly Entry[]>;
  /** Who wants to know that the service has an answer. */
  heard: Set<Heard>;
}

/**
 * `work`, while `user` is signed in; as for anybody whose session has ended, otherwise. The cookie is of whoever signed
 * in last: what one person has said must not go out under the name of the next.
 */
export function asUser<A extends unknown[], T>(user: string, work: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
  return (...args) => {
    const now = session.get();
    if (now.kind === "in" && now.session.user === user) return work(...args);
    const detail = `${user} is not signed in`;
    return Promise.reject(new ApiError(401, { title: "Unauthorized", status: 401, detail }));
  };
}

const posts = new Map<string, Promise<Post>>();

/** Of this person: opened once, with what earlier visits left. It is never closed; `asUser` holds it back. */
export function postOf(user: string): Promise<Post> {
  const known = posts.get(user);
  if (known) return known;
  const opening = openPost(user);
  posts.set(user, opening);
  opening.catch(() => posts.delete(user)); // the next view tries again
  return opening;
}

async function openPost(user: string): Promise<Post> {
  const { shelf, lasting } = await openShelf<Entry>("outbox");
  if (!lasting) toast(t("label.noStore"), "bad");
  const entries = cell<readonly Entry[]>([]);
  const heard = new Set<Heard>();
  const send = asUser(user, (entry: Entry) => postAnswer(entry.job, entry.sample, entry.key, entry.body));
  const outbox = new Outbox(shelf, send, {
    changed: (now) => entries.set(now),
    sent: (entry, receipt) => heard.forEach((listener) => listener(entry, receipt)),
    trouble: toastError,
  });
  await outbox.load(user);
  return { outbox, entries, heard };
}

/** Of whoever is signed in now. */
export const mail = cell<Post | null>(null);

/** While this person is signed in, everything that waits goes out: at once, and when the network is back. */
export function deliver(user: string): () => void {
  let over = false;
  const flush = () => void mail.get()?.outbox.flush();
  postOf(user).then((found) => {
    if (over) return;
    mail.set(found);
    flush(); // the sign-in may be one over unfinished work
  }, toastError);
  addEventListener("online", flush);
  return () => {
    over = true;
    mail.set(null);
    removeEventListener("online", flush);
  };
}

/** How many answers of this person the service does not have, after one more try to send them. */
export async function unsent(user: string): Promise<number> {
  const { outbox } = await postOf(user);
  await outbox.flush();
  return outbox.entries.length;
}
