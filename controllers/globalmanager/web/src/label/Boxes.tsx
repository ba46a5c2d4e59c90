// Boxes over a picture, as SVG: in the editor, and small ones side by side.
import { colourOf } from "./palette";
import { PictureNote } from "./PictureNote";
import { usePicture } from "./usePicture";
import type { Mark } from "./annotation";
import type { Rect, Size } from "./geometry";

/** More than that many are drawn as one path a class: they are seen, and chosen with N or in the list. */
export const MANY = 2000;
const TEXT_UP_TO = 150;

export function pathOf(rects: readonly Rect[]): string {
  return rects.map((r) => `M${r.x1} ${r.y1}H${r.x2}V${r.y2}H${r.x1}Z`).join("");
}

export function BoxShape({ mark, bold }: { mark: Mark | (Rect & { label: number; pending?: boolean }); bold?: boolean }) {
  const place = { x: mark.x1, y: mark.y1, width: mark.x2 - mark.x1, height: mark.y2 - mark.y1 };
  const line = bold ? 3 : 2;
  return (
    <>
      <rect {...place} class="seam" stroke-width={line + 2} />
      <rect
        {...place}
        class={mark.pending ? "line pending" : "line"}
        stroke={colourOf(mark.label)}
        stroke-width={line}
      />
    </>
  );
}

interface TagProps {
  rect: Rect;
  text: string;
  label: number;
  /** Screen pixels per pixel of the picture. */
  scale: number;
}

/** The class beside a box: above it, or inside where there is no room. */
export function Tag({ rect, text, label, scale }: TagProps) {
  const size = 12 / scale;
  const width = (text.length * 7.6 + 8) / scale;
  const height = size * 1.45;
  const y = rect.y1 - height > 0 ? rect.y1 - height : rect.y1;
  return (
    <g class="tag" aria-hidden="true">
      <rect x={rect.x1} y={y} width={width} height={height} fill={colourOf(label)} />
      <text x={rect.x1 + 4 / scale} y={y + size * 1.1} font-size={size}>
        {text}
      </text>
    </g>
  );
}

interface LayerProps {
  marks: readonly Mark[];
  /** Drawn elsewhere. */
  without: number | null;
  names: (label: number) => string;
  scale: number;
}

export function BoxLayer({ marks, without, names, scale }: LayerProps) {
  const shown = marks.filter((mark) => mark.id !== without);
  if (shown.length > MANY) {
    const labels = [...new Set(shown.map((mark) => mark.label))];
    return (
      <g>
        {labels.map((label) => (
          <path
            key={label}
            class="line"
            stroke={colourOf(label)}
            stroke-width="1.5"
            d={pathOf(shown.filter((mark) => mark.label === label))}
          />
        ))}
      </g>
    );
  }
  return (
    <g>
      {shown.map((mark) => (
        <BoxShape key={mark.id} mark={mark} />
      ))}
      {shown.length <= TEXT_UP_TO &&
        shown.map((mark) => <Tag key={mark.id} rect={mark} text={names(mark.label)} label={mark.label} scale={scale} />)}
    </g>
  );
}

interface PreviewProps {
  url: string;
  size: Size;
  boxes: readonly (Rect & { label: number; pending?: boolean })[];
  names: (label: number) => string;
  label: string;
}

/** A picture with boxes that cannot be changed. */
export function Preview({ url, size, boxes, names, label }: PreviewProps) {
  const picture = usePicture(url);
  const scale = 360 / Math.max(size.width, size.height);
  if (picture.failure !== null) return <PictureNote picture={picture} small />;
  return (
    <svg class="preview" viewBox={`0 0 ${size.width} ${size.height}`} role="img" aria-label={label}>
      <image
        key={picture.turn}
        href={url}
        width={size.width}
        height={size.height}
        preserveAspectRatio="none"
        onError={picture.onError}
      />
      {boxes.map((box, at) => (
        <BoxShape key={at} mark={box} />
      ))}
      {boxes.length <= TEXT_UP_TO &&
        boxes.map((box, at) => <Tag key={at} rect={box} text={names(box.label)} label={box.label} scale={scale} />)}
    </svg>
  );
}
