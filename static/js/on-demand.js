// Loads the modules that few reviews need, when a form or a person first has something for them.
import { find } from "./dom.js";
import { onItem } from "./workbench.js";

/** By what needs the module. @type {Map<string, () => Promise<{start: () => void}>>} */
const modules = new Map([
  ["#review .first-error", () => import("./marking.js")],
  [
    "#review .snippets, body:is([data-advances], [data-keeps-tab], [data-opens-tools])",
    () => import("./preferences.js"),
  ],
]);

function loadNeeded() {
  for (const [selector, load] of modules) {
    if (!find(selector)) continue;
    modules.delete(selector);
    load().then(
      (module) => module.start(),
      // Without network now: the next item tries again.
      () => modules.set(selector, load),
    );
  }
}

export function start() {
  onItem(loadNeeded);
}
