// The reviewer's keys. One map; a key acts only where no text is being written and nothing is loading.
import { setScore } from "./score.js";

const isText = (element) =>
  element.matches("textarea, select, [contenteditable]") ||
  element.matches("input:not([type=radio], [type=checkbox], [type=hidden])");

const form = () => document.querySelector("#review");
const isBusy = () => Boolean(document.querySelector("#workbench.htmx-request, #review.htmx-request, #skip.htmx-request"));
const press = (selector) => document.querySelector(selector)?.click();

function score(digit) {
  const mark = document.querySelectorAll("#review .preset")[digit - 1];
  if (mark) return setScore(mark.dataset.score);
  const choice = document.querySelector(`#review .choice input[value="${digit}"]`);
  if (choice) choice.checked = true;
}

function go(step) {
  const rail = [...document.querySelectorAll(".rail li a")];
  const here = rail.findIndex((link) => link.hasAttribute("aria-current"));
  rail[here + step]?.click();
}

const MAP = {
  r: () => press("#review [name=needs_review]"),
  n: () => document.querySelector("#notes")?.focus(),
  s: () => press("button[form=skip]"),
  j: () => go(1),
  k: () => go(-1),
  Enter: () => form().requestSubmit(document.querySelector("#submit")),
};

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (!form() || event.altKey || event.isComposing) return;
    const target = event.target;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (!isBusy() && !event.repeat) MAP.Enter();
      return;
    }
    if (event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" && isText(target)) return target.blur();
    if (isText(target) && !(target.id === "score" && /^[a-z]$/.test(event.key))) return;
    if (event.key === "Enter" && target.matches("a, button, summary, input")) return;
    const act = /^[0-9]$/.test(event.key) ? () => score(Number(event.key)) : MAP[event.key];
    if (!act) return;
    event.preventDefault();
    if (!isBusy() && !event.repeat) act();
  });
}
