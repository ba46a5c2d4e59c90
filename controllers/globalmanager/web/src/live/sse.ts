// Server-sent events from a stream of text. EventSource would do, but it hides the status of a refusal and wants
// every kind of event named before; fetch and this do not.

export interface ServerEvent {
  id: string;
  kind: string;
  data: string;
}

/** Feed it text as it comes; it calls back with whole events. Comments, such as heartbeats, are left out. */
export class EventParser {
  #rest = "";
  #id = "";
  #kind = "";
  #data: string[] = [];

  constructor(private readonly onEvent: (event: ServerEvent) => void) {}

  push(text: string): void {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line === "") return this.#end();
    if (line.startsWith(":")) return;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") this.#id = value;
    else if (field === "event") this.#kind = value;
    else if (field === "data") this.#data.push(value);
  }

  #end(): void {
    if (this.#data.length > 0) {
      this.onEvent({ id: this.#id, kind: this.#kind || "message", data: this.#data.join("\n") });
    }
    this.#kind = "";
    this.#data = [];
  }
}
