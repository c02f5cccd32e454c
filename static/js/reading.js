// Finding one's way in a trace: jumps to the next error, tool call or longest step, and a search with counts.
// Marks are drawn by the browser over the text (CSS highlights): the page's own HTML is never touched.

import { acts } from "./acts.js";

const KINDS = {
  error: [".failed", "error"],
  tool: [".turn.tool, .step.tool", "tool call"],
  longest: [".longest", "longest step"],
};
const MOST = 2000; // matches marked
const PATIENCE = 150; // milliseconds after the last letter

const reading = () => document.querySelector("#reading");
const body = () => reading()?.querySelector(".transcript, .steps, .metadata, .raw");
const field = () => reading()?.querySelector(".search input");
const ahead = (from, to) => from.compareDocumentPosition(to) & Node.DOCUMENT_POSITION_FOLLOWING;

const say = (words) => {
  const line = document.querySelector("#jumped");
  if (line) line.textContent = words;
};

function unfold(element) {
  for (let fold = element; fold && fold !== reading(); fold = fold.parentElement) {
    if (fold instanceof HTMLDetailsElement) fold.open = true;
  }
}

function goTo(place) {
  unfold(place.parentElement);
  const fold = place.querySelector(":scope > details, :scope > td > details");
  if (fold) fold.open = true;
  const target = fold?.querySelector("summary") ?? place;
  if (target === place) place.tabIndex = -1;
  target.focus({ preventScroll: true });
  place.scrollIntoView({ block: "start" });
}

export function jump(kind) {
  const [selector, words] = KINDS[kind];
  const places = [...(body()?.querySelectorAll(selector) ?? [])];
  if (!places.length) return say(`There is no ${words} here.`);
  const from = document.activeElement?.closest("#reading .turn, #reading .step");
  const next = from ? places.find((place) => place !== from && ahead(from, place)) : places[0];
  const gap = next ? null : [...body().querySelectorAll(".gap a[hx-get]")].find((link) => !from || ahead(from, link));
  if (gap) {
    document.body.addEventListener("htmx:afterSettle", () => jump(kind), { once: true });
    return gap.click();
  }
  const place = next ?? places[0];
  goTo(place);
  say(`${words} ${places.indexOf(place) + 1} of ${places.length}`);
}

let found = [];
let here = -1;

function textsOf(root) {
  // A folded turn's gist only repeats what stands below it.
  const accept = (node) => (node.parentElement.closest(".preview") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, accept);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  return nodes;
}

// One string of all text, so that a match may lie across coloured pieces; each block's end divides.
function rangesOf(wanted) {
  const nodes = body() ? textsOf(body()) : [];
  const starts = [];
  let all = "";
  let block = null;
  for (const node of nodes) {
    const own = node.parentElement.closest("p, li, pre, summary, header, h1, h2, h3, h4, h5, h6, td, th, blockquote");
    if (own !== block) all += "\n\n";
    block = own;
    starts.push(all.length);
    const small = node.data.toLowerCase();
    all += small.length === node.data.length ? small : node.data;
  }
  const ranges = [];
  for (let at = all.indexOf(wanted), n = 0; at >= 0 && ranges.length < MOST; at = all.indexOf(wanted, at + wanted.length)) {
    while (n + 1 < starts.length && starts[n + 1] <= at) n += 1;
    let last = n;
    const end = at + wanted.length;
    while (last + 1 < starts.length && starts[last + 1] < end) last += 1;
    const range = new Range();
    range.setStart(nodes[n], at - starts[n]);
    range.setEnd(nodes[last], Math.min(end - starts[last], nodes[last].data.length));
    ranges.push(range);
  }
  return ranges;
}

function mark(name, ranges) {
  if (!globalThis.CSS?.highlights) return;
  if (ranges.length) CSS.highlights.set(name, new Highlight(...ranges));
  else CSS.highlights.delete(name);
}

function tell() {
  const count = document.querySelector("#found");
  const most = found.length === MOST ? "+" : "";
  const words = found.length ? `${here + 1} of ${found.length}${most}` : field()?.value.trim() ? "none" : "";
  if (count) count.textContent = words;
  if (words) say(words === "none" ? "No match." : `Match ${words}.`);
}

function show(step) {
  if (!found.length) return;
  here = (here + step + found.length) % found.length;
  const place = found[here].startContainer.parentElement;
  unfold(place);
  place.scrollIntoView({ block: "center" });
  mark("found-here", [found[here]]);
  tell();
}

function search() {
  const wanted = field()?.value.trim().toLowerCase() ?? "";
  found = wanted ? rangesOf(wanted) : [];
  here = -1;
  mark("found", found);
  mark("found-here", []);
  if (found.length) show(1);
  else tell();
}

// Folded turns that were left to be loaded are fetched at once: what is searched must be here.
function loadRest() {
  if (!body()?.querySelector(".later")) return Promise.resolve();
  const url = reading().dataset.url;
  if (!body().matches(".transcript")) return Promise.resolve();
  return htmx.ajax("GET", `${url}?rest=1&piece=1`, { source: "#reading", swap: "none" });
}

export function openSearch() {
  const input = field();
  if (!input) return;
  input.focus();
  input.select();
}

function closeSearch() {
  field().value = "";
  search();
  field().blur();
}

export function followReading() {
  acts.set("search", openSearch);
  for (const kind of Object.keys(KINDS)) acts.set(kind, () => jump(kind));
  let waiting;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("#reading a.jump");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    jump(link.dataset.jump);
  });
  document.addEventListener("focusin", (event) => {
    if (event.target === field()) loadRest();
  });
  document.addEventListener("input", (event) => {
    if (event.target !== field()) return;
    clearTimeout(waiting);
    waiting = setTimeout(search, PATIENCE);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches?.("#reading .search")) return;
    event.preventDefault();
    if (found.length) show(1);
    else loadRest().then(search);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target !== field() || event.isComposing) return;
    if (event.key === "Escape") closeSearch();
    else if (event.key === "Enter" && event.shiftKey) show(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  document.addEventListener("htmx:afterSettle", () => {
    if (field()?.value.trim()) search();
    else if (found.length) search();
  });
}
