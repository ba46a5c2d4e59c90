import { expect, it } from "vitest";

import { EventParser, type ServerEvent } from "./sse";
import { backOff } from "./stream";

function parsed(...parts: string[]): ServerEvent[] {
  const found: ServerEvent[] = [];
  const parser = new EventParser((event) => found.push(event));
  for (const part of parts) parser.push(part);
  return found;
}

it("reads events of any kind, and no comments", () => {
  expect(parsed('retry: 2000\n\nid: 7\nevent: RoundStarted\ndata: {"a":1}\n\n: alive\n\n')).toEqual([
    { id: "7", kind: "RoundStarted", data: '{"a":1}' },
  ]);
});

it("puts together what came in pieces, also where a line end was cut", () => {
  const text = "id: 1\r\nevent: A\r\ndata: x\r\ndata: y\r\n\r\nid: 2\r\ndata: z\r\n\r\n";
  const want = [{ id: "1", kind: "A", data: "x\ny" }, { id: "2", kind: "message", data: "z" }];
  for (let cut = 0; cut <= text.length; cut++) expect(parsed(text.slice(0, cut), text.slice(cut))).toEqual(want);
});

it("waits longer after each failure, and never longer than half a minute", () => {
  expect([0, 1, 2, 5, 50].map(backOff)).toEqual([1000, 2000, 4000, 30_000, 30_000]);
});
