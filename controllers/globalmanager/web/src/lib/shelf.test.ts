import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

type Request = Record<string, unknown> & { result?: unknown; error?: unknown };

/** Of IndexedDB only what a shelf does with it: connections that fail, and that the browser closes. */
class Connections {
  fails = false;
  opened: { onclose?: () => void; onversionchange?: () => void; closed: boolean }[] = [];
  open() {
    const asked: Request = {};
    queueMicrotask(() => {
      if (this.fails) return (asked.onerror as () => void)();
      asked.result = this.connection();
      (asked.onsuccess as () => void)();
    });
    return asked;
  }
  connection() {
    const db = {
      closed: false,
      close: () => void (db.closed = true),
      transaction: () => {
        if (db.closed) throw new DOMException("closing", "InvalidStateError");
        const transaction: Request = {};
        queueMicrotask(() => (transaction.oncomplete as () => void)());
        return { ...transaction, set oncomplete(done: () => void) { transaction.oncomplete = done; }, objectStore: () => ({ getAll: () => ({ result: [7] }) }) };
      },
    };
    this.opened.push(db);
    return db as never;
  }
}

let browser: Connections;
let shelves: typeof import("./shelf");

beforeEach(async () => {
  browser = new Connections();
  vi.stubGlobal("indexedDB", browser);
  vi.resetModules();
  shelves = await import("./shelf");
});
afterEach(() => vi.unstubAllGlobals());

describe("a shelf of the browser", () => {
  it("has one connection", async () => {
    const shelf = shelves.browserShelf("drafts");
    expect(await shelf.all()).toEqual([7]);
    expect(await shelves.browserShelf("outbox").all()).toEqual([7]);
    expect(browser.opened).toHaveLength(1);
  });
  it("is opened anew after the browser has closed it", async () => {
    const shelf = shelves.browserShelf("drafts");
    await shelf.all();
    browser.opened[0]?.onclose?.();
    expect(await shelf.all()).toEqual([7]);
    expect(browser.opened).toHaveLength(2);
  });
  it("lets a newer page of another tab in, and goes on after it", async () => {
    const shelf = shelves.browserShelf("drafts");
    await shelf.all();
    browser.opened[0]?.onversionchange?.();
    expect(browser.opened[0]?.closed).toBe(true);
    expect(await shelf.all()).toEqual([7]);
  });
  it("is tried again after it could not be opened", async () => {
    browser.fails = true;
    expect((await shelves.openShelf("drafts")).lasting).toBe(false);
    browser.fails = false;
    expect((await shelves.openShelf("drafts")).lasting).toBe(true);
  });
});
