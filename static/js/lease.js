// Whoever is at work on an item keeps it: the claim is renewed while the page is seen and used. Whoever reads along
// with a colleague has the form as soon as that one is done.
import { bench, form, item, open, show } from "./workbench.js";

const EVERY = 60_000;
const LOOK = 10_000;

let isUsed = false;

export function follow() {
  for (const event of ["input", "scroll", "keydown", "pointerdown"]) {
    document.addEventListener(event, () => (isUsed = true), { capture: true, passive: true });
  }
  setInterval(() => isUsed && !document.hidden && !isTheirs() && renew(), EVERY);
  setInterval(() => isTheirs() && !document.hidden && look(), LOOK);
}

const isTheirs = () => Boolean(form()?.querySelector(".fields[inert]"));

export async function renew() {
  const number = item();
  if (!bench() || !form()) return;
  isUsed = false;
  const answer = await ask("claim/");
  if (answer?.status === 409 && item() === number) show(await answer.text());
}

async function look() {
  const number = item();
  const answer = await ask("wait/");
  if (answer?.status !== 200) return;
  const html = await answer.text();
  if (item() === number && isTheirs()) open(html);
}

// Null without network: then there is nothing to renew; a late save of an unchanged item is still taken.
async function ask(what) {
  const headers = { "HX-Request": "true", "X-CSRFToken": form().elements.csrfmiddlewaretoken.value };
  return fetch(`${form().action}${what}`, { method: "POST", headers }).catch(() => null);
}
