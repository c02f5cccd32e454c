// Announces to screen readers which item has opened, or that the last one was not saved. Unsaved work is announced by
// the notices, which are live regions themselves.
import { find, matches } from "./dom.js";

/** @param {string} selector */
const textOf = (selector) => find(selector)?.textContent?.replace(/\s+/g, " ").trim() ?? "";

// The heading without the trace id that follows it.
const title = () => find(".trace-head h1")?.firstChild?.textContent?.trim() ?? "";

/** @param {string} message */
export function announce(message) {
  const region = find("#announcement");
  if (region) region.textContent = message;
}

function describeWorkbench() {
  if (!find("#review")) return textOf("#workbench h1");
  // The reason is an alert of its own.
  if (find("#review [role=alert]")) return "Not saved.";
  const [position = ""] = textOf(".rail p > span").match(/[\d,]+ of [\d,]+/) ?? [];
  return `Next, ${position}: ${title()}`;
}

export function start() {
  document.addEventListener("htmx:afterSettle", (event) => {
    if (matches(event, "#workbench")) announce(describeWorkbench());
    if (matches(event, ".panel")) announce("You can review this item now. The form is open.");
  });
}
