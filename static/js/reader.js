// Finding one's way in a trace: jumps to the next error, tool call or longest step, wherever it stands, and a search with counts.
// Marks are drawn by the browser over the text (CSS highlights): the page's own HTML is never touched.

import { acts } from "./key-actions.js";

const KINDS = {
  answer: [".turn.answer", "Answer"],
  error: [".failed", "Error"],
  tool: [".turn.tool, .step.tool", "Tool call"],
  longest: [".longest", "Longest step"],
};
const MOST = 2000; // matches marked
const PATIENCE = 150; // milliseconds after the last letter

const reading = () => document.querySelector("#reading");
const body = () => reading()?.querySelector(".transcript, .steps, .metadata, .raw");
const field = () => reading()?.querySelector(".search [type=search]");
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

// The turn or step that stands around an element, by the number the server knows it by.
const around = (element) => element?.closest("#reading .turn, #reading .step");
const numberOf = (place) => place?.id.split("-")[1] ?? "";

// Whether something between two places is left to be loaded.
const isGapBetween = (from, to) =>
  [...body().querySelectorAll(".gap a[hx-get]")].some((gap) => (!from || ahead(from, gap)) && ahead(gap, to));

// The server knows the whole trace: it answers with the page that holds the next place, which land() goes to.
function ask(query) {
  const { url, tab } = reading().dataset;
  const find = field().value.trim();
  const isTyping = document.activeElement === field();
  const asked = `${url}?tab=${tab}&${query}${find ? `&find=${encodeURIComponent(find)}` : ""}`;
  return htmx.ajax("GET", asked, { target: "#reading", swap: "outerHTML" }).then(() => isTyping && field()?.focus());
}

function land() {
  const goal = reading()?.dataset.goal;
  if (!goal) return;
  delete reading().dataset.goal;
  const place = document.getElementById(goal);
  const isTyping = document.activeElement === field();
  if (place) goTo(place);
  if (isTyping) field().focus({ preventScroll: true });
}

export function jump(kind) {
  const [selector, words] = KINDS[kind];
  const total = Number(reading()?.querySelector(`.jump[data-jump="${kind}"]`)?.dataset.number ?? 0);
  if (!total) return say(`There is no ${words.toLowerCase()} on this tab.`);
  const places = [...body().querySelectorAll(selector)];
  const from = around(document.activeElement);
  const next = from ? places.find((place) => place !== from && ahead(from, place)) : places[0];
  const isAll = places.length === total;
  if (!isAll && (!next || isGapBetween(from, next))) return ask(`jump=${kind}&after=${numberOf(from)}`);
  const place = next ?? places[0];
  goTo(place);
  say(isAll ? `${words} ${places.indexOf(place) + 1} of ${total}` : `${words}, one of ${total}`);
}

let found = [];
let here = -1;
let sought = "";

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

// Whether all that a search could find stands on the page.
const isWhole = () => !reading()?.querySelector(".later, .gap a[hx-get], .more, .pages");

function tell() {
  const count = document.querySelector("#found");
  const button = reading()?.querySelector(".search button");
  const part = isWhole() ? "" : " here";
  const most = found.length === MOST ? "+" : "";
  const isAsked = Boolean(field()?.value.trim());
  if (count) count.textContent = found.length ? `${here + 1} of ${found.length}${most}${part}` : isAsked ? `none${part}` : "";
  if (button) button.textContent = isAsked && part ? "Search the whole trace" : "Find";
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

// The next match on the page, or the one that lies before it in what is not loaded.
function showNext() {
  const at = here < 0 ? null : found[here].startContainer.parentElement;
  const next = found[here + 1]?.startContainer.parentElement;
  if (isWhole() || (next && !(at && isGapBetween(at, next)))) return show(1);
  return ask(`jump=match&after=${numberOf(around(at))}`);
}

// Looks from a place on, else from the top.
function search(from) {
  const wanted = field()?.value.trim().toLowerCase() ?? "";
  found = wanted ? rangesOf(wanted) : [];
  sought = wanted;
  here = -1;
  mark("found", found);
  mark("found-here", []);
  if (from) here = found.findIndex((range) => from.contains(range.startContainer)) - 1;
  if (here < -1) here = -1;
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
    const link = event.target.closest?.("#reading .tools a.jump");
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
    ask("");
  });
  document.addEventListener("keydown", (event) => {
    if (event.target !== field() || event.isComposing) return;
    if (event.key === "Escape") closeSearch();
    else if (event.key === "Enter" && event.shiftKey) show(-1);
    else if (event.key === "Enter") loadRest().then(goOn);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  document.addEventListener("htmx:afterSettle", () => {
    const goal = document.getElementById(reading()?.dataset.goal ?? "");
    land();
    if (field()?.value.trim()) search(goal ?? around(found[here]?.startContainer.parentElement));
    else if (found.length) search();
  });
}

// On to the next match; what was typed a moment ago is looked for first.
function goOn() {
  if (field().value.trim().toLowerCase() !== sought) search();
  else showNext();
}
