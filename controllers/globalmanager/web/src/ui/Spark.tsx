// A small curve of one figure, without axes; the number beside it says the last value.

interface Props {
  values: readonly number[];
  label: string;
}

export function Spark({ values, label }: Props) {
  if (values.length === 0) return null;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = high - low || 1;
  const x = (at: number) => (values.length === 1 ? 50 : (at / (values.length - 1)) * 100);
  const y = (value: number) => (high === low ? 20 : 36 - ((value - low) / span) * 32);
  const points = values.map((value, at) => `${x(at).toFixed(2)},${y(value).toFixed(2)}`);
  const last = values.at(-1) ?? 0;
  return (
    <svg width="100%" height="100%" viewBox="-3 0 106 40" preserveAspectRatio="none" role="img" aria-label={label}>
      {values.length > 1 && (
        <>
          <polygon points={`0,40 ${points.join(" ")} 100,40`} fill="currentColor" opacity="0.1" />
          <polyline
            points={points.join(" ")}
            fill="none"
            stroke="currentColor"
            stroke-width="2"
            stroke-linejoin="round"
            vector-effect="non-scaling-stroke"
          />
        </>
      )}
      <line
        x1={x(values.length - 1)}
        x2={x(values.length - 1)}
        y1={y(last)}
        y2={y(last)}
        stroke="currentColor"
        stroke-width="7"
        stroke-linecap="round"
        vector-effect="non-scaling-stroke"
      />
    </svg>
  );
}
