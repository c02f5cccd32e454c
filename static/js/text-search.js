// Finds a text in an element, and highlights matches without changing the page's HTML (CSS custom highlights).

/** Matches beyond this are neither counted nor highlighted. */
export const MAX_MATCHES = 2000;

const BLOCKS = "p, li, pre, summary, header, h1, h2, h3, h4, h5, h6, td, th, blockquote";

/** @typedef {{node: Text, start: number}} Piece  a text node, and where it begins in the joined text */

/**
 * @param {Node} root
 * @returns {Text[]}
 */
function textNodes(root) {
  // The preview of a folded turn only repeats the text below it; a button is not part of it.
  /** @param {Node} node */
  const accept = (node) =>
    node.parentElement?.closest(".preview, .mark-error") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, accept);
  const nodes = [];
  while (walker.nextNode()) nodes.push(/** @type {Text} */ (walker.currentNode));
  return nodes;
}

// One lower-case string of all text, so that a match may span coloured pieces; blocks are separated.
/** @param {Node} root */
function joinText(root) {
  /** @type {Piece[]} */
  const pieces = [];
  const texts = [];
  let length = 0;
  let lastBlock = null;
  for (const node of textNodes(root)) {
    const block = node.parentElement?.closest(BLOCKS) ?? null;
    const separator = block === lastBlock ? "" : "\n\n";
    lastBlock = block;
    length += separator.length;
    pieces.push({ node, start: length });
    // Lower case can be longer than the original, which would shift every later position.
    const lower = node.data.toLowerCase();
    // A phrase goes on after a line break.
    const text = (lower.length === node.data.length ? lower : node.data).replace(/\s/g, " ");
    texts.push(separator, text);
    length += text.length;
  }
  return { pieces, text: texts.join("") };
}

/**
 * The ranges of the first matches in document order.
 *
 * @param {Node} root
 * @param {string} query  in lower case, not empty
 */
export function findRanges(root, query) {
  const { pieces, text } = joinText(root);
  const phrase = query.replace(/\s+/g, " ");
  const ranges = [];
  let index = 0;
  for (let start = text.indexOf(phrase); start >= 0 && ranges.length < MAX_MATCHES; ) {
    const end = start + phrase.length;
    index = pieceAt(pieces, index, start);
    const first = pieces[index];
    const last = pieces[pieceAt(pieces, index, end - 1)];
    if (!first || !last) break;
    const range = new Range();
    range.setStart(first.node, start - first.start);
    range.setEnd(last.node, Math.min(end - last.start, last.node.data.length));
    ranges.push(range);
    start = text.indexOf(phrase, end);
  }
  return ranges;
}

/**
 * The index of the last piece that begins at or before a position; searched from an index on.
 *
 * @param {Piece[]} pieces
 * @param {number} from
 * @param {number} position
 */
function pieceAt(pieces, from, position) {
  let index = from;
  for (let next = pieces[index + 1]; next && next.start <= position; next = pieces[index + 1]) index += 1;
  return index;
}

/**
 * Scroll each box around a range, so that the range itself is in its middle: its element may be many screens long.
 *
 * @param {Range} range
 */
export function scrollToRange(range) {
  const page = document.scrollingElement;
  for (let box = range.startContainer.parentElement; box; box = box.parentElement) {
    if (box !== page && !/auto|scroll/.test(getComputedStyle(box).overflow)) continue;
    const target = range.getBoundingClientRect();
    const { top, left } = box === page ? { top: 0, left: 0 } : box.getBoundingClientRect();
    const isAside = target.left < left || target.right > left + box.clientWidth;
    box.scrollBy({
      top: target.top + target.height / 2 - top - box.clientHeight / 2,
      left: isAside ? target.left - left - box.clientWidth / 2 : 0,
      behavior: "instant",
    });
  }
}

/**
 * @param {"found" | "found-here" | "first-error"} name  the highlight's name in the style sheet
 * @param {Range[]} ranges  none removes the highlight
 */
export function highlight(name, ranges) {
  if (!globalThis.CSS?.highlights) return;
  if (ranges.length) CSS.highlights.set(name, new Highlight(...ranges));
  else CSS.highlights.delete(name);
}
