// Icons drawn for this page: 24 units, one stroke.
const SHAPES = {
  alert: "M12 8v5m0 3.5v.01M10.6 4 2.8 17.5A1.6 1.6 0 0 0 4.2 20h15.6a1.6 1.6 0 0 0 1.4-2.5L13.4 4a1.6 1.6 0 0 0-2.8 0Z",
  arrow: "M5 12h14m-5-5 5 5-5 5",
  back: "M19 12H5m5-5-5 5 5 5",
  bolt: "M13 3 5 14h6l-1 7 8-11h-6l1-7Z",
  chart: "M4 4v15a1 1 0 0 0 1 1h15M8 15l4-5 3 3 5-7",
  check: "m5 12.5 4.5 4.5L19 7.5",
  close: "m6 6 12 12M18 6 6 18",
  contrast: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm0 0v18m2-17v16m2-15v14m2-12.5v11",
  download: "M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 20h14",
  edge: "M4 5h16v10H4zM9 20h6m-3-5v5",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Zm9.5 2.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6Z",
  fit: "M9 4H5a1 1 0 0 0-1 1v4m11-5h4a1 1 0 0 1 1 1v4M9 20H5a1 1 0 0 1-1-1v-4m11 5h4a1 1 0 0 0 1-1v-4",
  flag: "M6 21V4m0 1h11l-2 4 2 4H6",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm-9 9h18M12 3c3 3 3 15 0 18m0-18c-3 3-3 15 0 18",
  help: "M9.2 9.3a2.9 2.9 0 1 1 4.2 2.6c-.9.5-1.4 1-1.4 2v.4m0 3v.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z",
  inbox: "M4 13 6.5 5.5h11L20 13v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1v-5Zm0 0h4.5l1.5 2.5h4l1.5-2.5H20",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z",
  out: "M14 4h4a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1h-4M10 16l4-4-4-4m4 4H4",
  pause: "M9 5v14m6-14v14",
  pen: "M4 20h4L19 9l-4-4L4 16v4ZM13 7l4 4",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6.5 9a6.5 6.5 0 0 1 13 0M16 4.3a3.5 3.5 0 0 1 0 6.4m5.5 9.3a6.5 6.5 0 0 0-4.3-6.1",
  play: "M7 5v14l12-7L7 5Z",
  redo: "M19 8v5h-5m5 0A7.5 7.5 0 1 0 16 18.5",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm0-13v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4m0-12.8L17 7M7 17l-1.4 1.4",
  trash: "M5 7h14M10 7V4h4v3m-7.5 0L7.5 20h9l1-13M10 11v5m4-5v5",
  undo: "M5 8v5h5m-5 0a7.5 7.5 0 1 1 3 5.5",
  auto: "M12 3a9 9 0 1 0 0 18V3Z",
} as const;

export type IconName = keyof typeof SHAPES;

/** Decoration: what it means stands beside it, or in the label of its button. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={SHAPES[name]} />
    </svg>
  );
}
