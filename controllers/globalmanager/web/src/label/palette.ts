// A colour for each class: far apart on the wheel, readable on dark and bright pictures (each line has a dark seam).
const HUES = [4, 207, 45, 140, 280, 180, 24, 320, 85, 240, 60, 340];

export function colourOf(label: number): string {
  const hue = HUES[label % HUES.length] ?? 0;
  const round = Math.floor(label / HUES.length) % 3;
  const lightness = [62, 78, 46][round] ?? 62;
  return `hsl(${hue} 92% ${lightness}%)`;
}

export function className(names: readonly string[], label: number): string {
  return names[label] ?? `#${label}`;
}

/** Where a job does not say its classes, numbers stand for them. */
export const NUMBERS: readonly string[] = Array.from({ length: 10 }, (_, at) => `#${at}`);
