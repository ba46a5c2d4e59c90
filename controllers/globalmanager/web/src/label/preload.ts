// Pictures that come next, decoded before they are wanted.

const KEPT = 12;
const pictures = new Map<string, HTMLImageElement>();

export function preload(url: string): void {
  if (pictures.has(url)) return;
  const picture = new Image();
  picture.src = url;
  pictures.set(url, picture);
  // A picture that fails says so on its own, when it is shown.
  picture.decode().catch(() => pictures.delete(url));
  for (const old of pictures.keys()) {
    if (pictures.size <= KEPT) break;
    pictures.delete(old);
  }
}
