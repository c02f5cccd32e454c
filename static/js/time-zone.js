// Tells the server the browser's time zone, in which it shows times from the next page on.
const NAME = "time_zone";
const YEAR = 365 * 24 * 60 * 60; // seconds

export function start() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || document.cookie.split("; ").includes(`${NAME}=${zone}`)) return;
  const secure = location.protocol === "https:" ? "; secure" : "";
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API needs a secure origin, and Firefox has it late.
  document.cookie = `${NAME}=${zone}; path=/; max-age=${YEAR}; samesite=lax${secure}`;
}
