// Claims the item that is opened, renews the claim while the page is visible and in use, and opens the form as soon as the colleague who
// had claimed the item is done.
import { bench, form, isReadOnly, item, onItem, showForm, showItem } from "./workbench.js";

const RENEW_INTERVAL = 60_000;
const CHECK_INTERVAL = 10_000;

let isUsed = false;

export function start() {
  const onUse = () => {
    isUsed = true;
  };
  for (const event of ["input", "scroll", "keydown", "pointerdown"]) {
    document.addEventListener(event, onUse, { capture: true, passive: true });
  }
  onItem(() => {
    if (bench()?.hasAttribute("data-unclaimed")) renew();
  });
  setInterval(() => {
    if (isUsed && !document.hidden && !isReadOnly()) renew();
  }, RENEW_INTERVAL);
  setInterval(() => {
    if (isReadOnly() && !document.hidden) checkClaim();
  }, CHECK_INTERVAL);
}

/** Claim the item or renew the claim, or show the read-only form if a colleague has taken the item over. */
export async function renew() {
  const number = item();
  if (!bench() || !form()) return;
  isUsed = false;
  const response = await post("claim/");
  if (response?.ok && item() === number) bench()?.removeAttribute("data-unclaimed");
  if (response?.status === 409 && item() === number) showItem(await response.text());
}

async function checkClaim() {
  const number = item();
  const response = await post("wait/");
  if (response?.status !== 200) return;
  const html = await response.text();
  if (item() === number && isReadOnly()) showForm(html);
}

// Null when offline: nothing can be renewed then, and a late save of an unchanged item is still accepted.
/** @param {string} path */
async function post(path) {
  const review = form();
  if (!review) return null;
  const token = /** @type {HTMLInputElement} */ (review.elements.namedItem("csrfmiddlewaretoken"));
  const headers = { "HX-Request": "true", "X-CSRFToken": token.value };
  return fetch(`${review.action}${path}`, { method: "POST", headers }).catch(() => null);
}
