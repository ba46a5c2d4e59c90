// Which rows of a long grid are drawn: TanStack's core behind a hook. The window scrolls.
import {
  observeWindowOffset, observeWindowRect, Virtualizer, windowScroll, type VirtualItem,
} from "@tanstack/virtual-core";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

export interface Rows {
  items: VirtualItem[];
  height: number;
  /** What the list begins at, below the top of the page. */
  margin: number;
  show: (row: number) => void;
}

export function useRows(count: number, rowHeight: number, margin: number): Rows {
  const [, draw] = useState(0);
  const options = {
    count,
    estimateSize: () => rowHeight,
    getScrollElement: () => window,
    observeElementRect: observeWindowRect,
    observeElementOffset: observeWindowOffset,
    scrollToFn: windowScroll,
    overscan: 3,
    scrollMargin: margin,
    initialOffset: () => window.scrollY,
    onChange: () => draw((turn) => turn + 1),
  };
  const kept = useRef<Virtualizer<Window, Element> | null>(null);
  kept.current ??= new Virtualizer<Window, Element>(options);
  const virtual = kept.current;
  virtual.setOptions(options);
  useLayoutEffect(() => virtual._didMount(), [virtual]);
  useLayoutEffect(() => virtual._willUpdate());
  useLayoutEffect(() => virtual.measure(), [virtual, rowHeight]);
  return {
    items: virtual.getVirtualItems(),
    height: virtual.getTotalSize(),
    margin,
    show: (row) => virtual.scrollToIndex(row, { align: "auto" }),
  };
}
