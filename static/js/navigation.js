// From item to item along the rail, on one page: without network one stays where one is, and is told.
import { tell } from "./banner.js";
import { isBusy, onItem, show, wait } from "./workbench.js";
import { flush } from "./drafts.js";
import { renew } from "./lease.js";
import * as prefetch from "./prefetch.js";

const PATIENCE = 10_000;

export async function travel(address) {
  flush();
  const fetched = prefetch.takeOne(prefetch.numberOf(address));
  if (fetched) {
    show(fetched.html, fetched.address);
    // Fetched ahead it was claimed for nobody.
    return renew();
  }
  wait(true);
  try {
    const answer = await fetch(address, { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) return location.assign(address);
    show(await answer.text(), address);
  } catch {
    wait(false);
    tell("away", "The network is away: the other item cannot be fetched. You stay here, and what you type is kept.");
  }
}

function onClick(event) {
  const link = event.target.closest?.("#rail li a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (!isBusy()) travel(link.getAttribute("href"));
}

export function follow() {
  document.addEventListener("click", onClick);
  // What a person asked for; what the page asks for by itself is asked for again.
  document.addEventListener("htmx:sendError", ({ detail }) => {
    if (!["click", "submit"].includes(detail.requestConfig.triggeringEvent?.type)) return;
    tell("away", "The network is away: this cannot be fetched now. What you type is kept.");
  });
  document.addEventListener("htmx:afterSwap", () => tell("away"));
  window.addEventListener("online", () => tell("away"));
  onItem(() => tell("away"));
}
