// Measures how long the item has been on the visible screen, and sends it with the review.
import { form, item, onItem } from "./workbench.js";

/** @type {string | undefined} */
let measured;
let milliseconds = 0;
/** When the screen became visible, on the page's clock; null while it is hidden. @type {number | null} */
let visibleSince = null;

function stop() {
  if (visibleSince !== null) milliseconds += performance.now() - visibleSince;
  visibleSince = null;
}

function resume() {
  stop();
  if (!document.hidden) visibleSince = performance.now();
}

function onSubmit() {
  resume();
  const field = form()?.elements.namedItem("active_seconds");
  if (field instanceof HTMLInputElement) field.value = String(Math.round(milliseconds / 1000));
}

export function start() {
  onItem(() => {
    // A form that is shown again, as after an error, belongs to the same visit.
    stop();
    if (item() !== measured) milliseconds = 0;
    measured = item();
    resume();
  });
  document.addEventListener("visibilitychange", resume);
  // Registered before the module that reads the form.
  document.addEventListener("submit", onSubmit, true);
}
