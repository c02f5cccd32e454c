// Opens or folds all folded turns of a transcript; the choice is remembered for the person.
import { closest, find, findAll, matches } from "./dom.js";
import { keyActions } from "./key-actions.js";
import * as storage from "./user-storage.js";

const STORED = "open-turns";
const FOLDS = "#reading .transcript details.fold:not(.picture)";

const isOpen = () => storage.read(STORED, false);

function updateButton() {
  const button = find("#open-turns");
  if (!button) return;
  button.textContent = isOpen() ? "Fold all" : "Open all";
  button.hidden = !find(FOLDS);
}

/** @param {boolean} open */
function setFolds(open) {
  for (const fold of findAll(FOLDS)) if (fold instanceof HTMLDetailsElement) fold.open = open;
}

function toggle() {
  storage.write(STORED, !isOpen());
  setFolds(isOpen());
  updateButton();
}

// Only a transcript that has just been placed: a fold that the reader closed stays closed.
function onSettle() {
  const transcript = find("#reading .transcript:not([data-ready])");
  if (transcript) {
    transcript.dataset.ready = "";
    if (isOpen()) setFolds(true);
  }
  updateButton();
}

export function start() {
  keyActions.set("folds", toggle);
  document.addEventListener("click", (event) => {
    if (closest(event, "#open-turns")) toggle();
  });
  document.addEventListener("htmx:afterSettle", onSettle);
  // A search may have loaded the turns of a fold before it is opened.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const fold = matches(event, ".group > .loader") ? closest(event, ".group") : null;
    if (fold && !fold.querySelector(".later")) event.preventDefault();
  });
  onSettle();
}
