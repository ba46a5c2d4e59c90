// Days as people mean them, where the service takes moments.

/** The moment at which a day ("2026-03-01") begins here; with `end` the one after its last. "": no day. */
export function edgeOf(day: string, end: boolean): string {
  const [year, month, date] = day.split("-").map(Number);
  if (year === undefined || month === undefined || date === undefined) return "";
  const moment = new Date(year, month - 1, date + (end ? 1 : 0)); // a day may have 23 hours
  return Number.isNaN(moment.getTime()) ? "" : moment.toISOString();
}

/** The day that such a moment stands for; "" where it is none. */
export function dayOf(moment: string, end: boolean): string {
  const at = new Date(moment);
  if (moment === "" || Number.isNaN(at.getTime())) return "";
  if (end) at.setMilliseconds(at.getMilliseconds() - 1); // what is left out is the day's first moment
  const two = (value: number) => String(value).padStart(2, "0");
  return `${String(at.getFullYear()).padStart(4, "0")}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}
