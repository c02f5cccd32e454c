// The answers given to the item before, once more. The browser remembers them, queue by queue: a page that was fetched
// ahead was made before they were given.
import { bench, form, isClosed, onItem } from "./workbench.js";
import { fill, ofPairs } from "./fields.js";

const place = () => `same:${bench()?.dataset.upcoming?.split("?")[0]}`;
const last = () => JSON.parse(sessionStorage.getItem(place()) ?? "null");

// The fields of a form that was submitted, as pairs.
export function remember(pairs) {
  sessionStorage.setItem(place(), JSON.stringify(ofPairs(pairs)));
}

// A correction belongs to its own trace, and what one has written stands.
function repeats(input) {
  if (input.closest("[data-kind=correction]")) return false;
  return input.tagName !== "TEXTAREA" || !input.value.trim();
}

function offer() {
  const button = document.querySelector("#same");
  if (button) button.hidden = !last();
}

export function follow() {
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#same") && form() && last() && !isClosed()) fill(form(), last(), repeats);
  });
  onItem(offer);
}
