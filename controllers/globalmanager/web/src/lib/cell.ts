// One observable value. Views read it with useCell; everything else with get and subscribe.
import { useEffect, useState } from "preact/hooks";

export interface Cell<T> {
  get(): T;
  set(value: T): void;
  subscribe(listener: () => void): () => void;
}

export function cell<T>(initial: T): Cell<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(value, next)) return;
      value = next;
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useCell<T>(source: Cell<T>): T {
  const [value, show] = useState(source.get);
  useEffect(() => {
    const update = () => show(() => source.get());
    update(); // it may have changed between the first drawing and now
    return source.subscribe(update);
  }, [source]);
  return value;
}
