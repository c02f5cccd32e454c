// The screen: which item is on it, whether one may act on it, and how another takes its place.
const REQUESTS = ["#workbench", "#review", "#skip", "#undo"].map((id) => `${id}.htmx-request`).join();

let isUnseen = false;
let isWaiting = false;

export const bench = () => document.querySelector("#workbench");
export const form = () => document.querySelector("#review");
export const item = () => bench()?.dataset.item;

// Whether the form may only be read.
export const isClosed = () => Boolean(document.querySelector("#review .fields[inert]"));

// An item that is not painted yet was not read by anybody.
export const isBusy = () => isUnseen || isWaiting || Boolean(document.querySelector(REQUESTS));

export function wait(on) {
  isWaiting = on;
  bench()?.setAttribute("aria-busy", String(on));
}

// Put the fragment of an item on the screen, at its address where one is given.
export function show(html, address) {
  wait(false);
  isUnseen = true;
  htmx.swap("#workbench", html, { swapStyle: "outerHTML", swapDelay: 0, settleDelay: 0 });
  if (address) push(address);
  land();
  requestAnimationFrame(() => requestAnimationFrame(() => (isUnseen = false)));
}

// Put the form of an item's fragment in the place of the one on the screen; the trace stays as it is being read.
export function open(html) {
  const swap = { swapStyle: "outerHTML", swapDelay: 0, settleDelay: 0 };
  htmx.swap("#workbench > .panel", html, swap, { select: ".panel", selectOOB: "#rail" });
}

// Where one goes on: at a question, at the first field that was refused, or at the trace.
function land() {
  const fault = document.querySelector("#review .fault");
  const field = fault?.closest("fieldset, .field")?.querySelector("input:not([type=hidden]), textarea, select");
  const told = document.querySelector("#review .foot [role=alert]") ?? field ?? document.querySelector("#review [role=alert]");
  if (!told) return document.querySelector("#workbench > .trace")?.focus({ preventScroll: true });
  told.focus({ preventScroll: true });
  told.scrollIntoView({ block: "center" });
}

// With the mark of htmx on both pages, which brings each back when one goes back or forth.
function push(address) {
  history.replaceState({ htmx: true }, "");
  history.pushState({ htmx: true }, "", address);
}

// Parts of the page that lie in an answer under their ids.
export function refresh(html) {
  htmx.swap("body", html, { swapStyle: "none", swapDelay: 0, settleDelay: 0 });
}

// Whenever an item or its form has come, by whatever way; and once for the one that is there.
export function onItem(act) {
  document.addEventListener("htmx:afterSettle", (event) => event.target.matches("#workbench, .panel") && act());
  document.addEventListener("htmx:historyRestore", () => bench() && act());
  if (bench()) act();
}

// A page that has just come has its focus nowhere; one that is used keeps it.
onItem(() => document.activeElement === document.body && form() && land());

window.addEventListener("pageshow", (event) => event.persisted && wait(false));
