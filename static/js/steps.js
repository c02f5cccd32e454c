// The tree of steps: folds what is below a step, and keeps its place while another tab is read.
import { closest, find, findAll } from "./dom.js";

/** @typedef {{scroll: number, folded: string[], open: string[]}} Place */

/** By the address of a trace's tab. @type {Map<string, Place>} */
const places = new Map();
const ROWS = "#reading .steps tr.step";

const address = () => {
  const { url, tab } = find("#reading")?.dataset ?? {};
  return `${url}?${tab}`;
};
const scroller = () => find("#workbench > .trace") ?? document.scrollingElement;

/** @param {Element} row */
const depthOf = (row) => Number(row.getAttribute("data-depth"));
/** @param {Element} row */
const twigOf = (row) => row.querySelector(".twig");
/** @param {Element} row */
const isFolded = (row) => twigOf(row)?.getAttribute("aria-expanded") === "false";

// A row is hidden if a row above it, at a lower depth, is folded.
function updateRows() {
  let limit = Number.POSITIVE_INFINITY;
  for (const row of findAll(ROWS)) {
    const depth = depthOf(row);
    if (depth <= limit) limit = Number.POSITIVE_INFINITY;
    row.hidden = depth > limit;
    if (!row.hidden && isFolded(row)) limit = depth;
  }
}

/**
 * Unfold all steps that a step is below.
 *
 * @param {HTMLElement} target
 */
export function showStep(target) {
  if (!target.hidden) return;
  let depth = depthOf(target);
  for (let row = target.previousElementSibling; row && depth > 0; row = row.previousElementSibling) {
    if (!row.matches(".step") || depthOf(row) >= depth) continue;
    twigOf(row)?.setAttribute("aria-expanded", "true");
    depth = depthOf(row);
  }
  updateRows();
}

function keepPlace() {
  const rows = findAll(ROWS);
  const folded = rows.filter(isFolded).map((row) => row.id);
  const open = rows.filter((row) => row.querySelector("details[open]")).map((row) => row.id);
  places.set(address(), { scroll: scroller()?.scrollTop ?? 0, folded, open });
}

function restorePlace() {
  const place = places.get(address());
  if (!place || find("#reading")?.dataset.goal) return;
  for (const id of place.folded) find(`#${id} .twig`)?.setAttribute("aria-expanded", "false");
  for (const id of place.open) find(`#${id} details`)?.setAttribute("open", "");
  updateRows();
  scroller()?.scrollTo({ top: place.scroll, behavior: "instant" });
}

/** @param {Event} event */
const isReader = (event) => event instanceof CustomEvent && event.detail.target?.id === "reading";

export function start() {
  document.addEventListener("click", (event) => {
    const twig = closest(event, "#reading .twig");
    if (!twig) return;
    twig.setAttribute("aria-expanded", String(twig.getAttribute("aria-expanded") === "false"));
    updateRows();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (isReader(event)) keepPlace();
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target instanceof Element && event.target.id === "reading") restorePlace();
  });
}
