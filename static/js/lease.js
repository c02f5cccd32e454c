// Whoever is at work on an item keeps it: the claim is renewed while the page is seen and used.
import { bench, form, item, show } from "./bench.js";

const EVERY = 60_000;

let isUsed = false;

export function follow() {
  for (const event of ["input", "scroll", "keydown", "pointerdown"]) {
    document.addEventListener(event, () => (isUsed = true), { capture: true, passive: true });
  }
  setInterval(() => isUsed && !document.hidden && renew(), EVERY);
}

export async function renew() {
  const number = item();
  if (!bench() || !form()) return;
  isUsed = false;
  const headers = { "HX-Request": "true", "X-CSRFToken": form().elements.csrfmiddlewaretoken.value };
  try {
    const answer = await fetch(`${form().action}claim/`, { method: "POST", headers });
    if (answer.status === 409 && item() === number) show(await answer.text());
  } catch {
    // Without network there is nothing to renew; a late save of an unchanged item is still taken.
  }
}
