// Small stores of the browser, behind one interface: IndexedDB where there is one, memory where it is refused.

export interface Shelf<T> {
  all(): Promise<T[]>;
  get(key: string): Promise<T | undefined>;
  put(key: string, value: T): Promise<void>;
  remove(key: string): Promise<void>;
}

const NAME = "sedna";
const STORES = ["outbox", "drafts"] as const;
export type StoreName = (typeof STORES)[number];

let opening: Promise<IDBDatabase> | undefined;

/** The connection, as long as it lasts: one that failed or was closed by the browser is opened anew. */
function open(): Promise<IDBDatabase> {
  if (opening) return opening;
  const mine: Promise<IDBDatabase> = connect(() => {
    if (opening === mine) opening = undefined;
  });
  opening = mine;
  return mine;
}

function connect(over: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => {
      for (const store of STORES) asked.result.createObjectStore(store);
    };
    asked.onsuccess = () => {
      const db = asked.result;
      db.onclose = over;
      db.onversionchange = () => {
        over();
        db.close(); // another tab has a newer page: it must not wait for this one
      };
      resolve(db);
    };
    asked.onerror = () => {
      over();
      reject(asked.error ?? new Error("IndexedDB cannot be opened"));
    };
  });
}

async function within<T>(store: StoreName, mode: IDBTransactionMode, work: (s: IDBObjectStore) => IDBRequest): Promise<T> {
  const db = await open();
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(store, mode, { durability: "strict" });
    const asked = work(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(asked.result as T);
    transaction.onabort = () => reject(transaction.error ?? new Error(`${store}: the browser could not store it`));
  });
}

export function browserShelf<T>(store: StoreName): Shelf<T> {
  return {
    all: () => within(store, "readonly", (s) => s.getAll()),
    get: (key) => within(store, "readonly", (s) => s.get(key)),
    put: (key, value) => within(store, "readwrite", (s) => s.put(value, key)),
    remove: (key) => within(store, "readwrite", (s) => s.delete(key)),
  };
}

export function memoryShelf<T>(): Shelf<T> {
  const kept = new Map<string, T>();
  return {
    all: () => Promise.resolve([...kept.values()]),
    get: (key) => Promise.resolve(kept.get(key)),
    put: (key, value) => Promise.resolve(void kept.set(key, value)),
    remove: (key) => Promise.resolve(void kept.delete(key)),
  };
}

/** IndexedDB if it can be opened; some private windows refuse it. */
export async function openShelf<T>(store: StoreName): Promise<{ shelf: Shelf<T>; lasting: boolean }> {
  try {
    await open();
    return { shelf: browserShelf<T>(store), lasting: true };
  } catch {
    return { shelf: memoryShelf<T>(), lasting: false };
  }
}
