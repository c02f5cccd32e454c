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
  // The preview of a folded turn only repeats the text below it.
  /** @param {Node} node */
  const accept = (node) =>
    node.parentElement?.closest(".preview") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT;
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
    const text = lower.length === node.data.length ? lower : node.data;
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
  const ranges = [];
  let index = 0;
  for (let start = text.indexOf(query); start >= 0 && ranges.length < MAX_MATCHES; ) {
    const end = start + query.length;
    index = pieceAt(pieces, index, start);
    const first = pieces[index];
    const last = pieces[pieceAt(pieces, index, end - 1)];
    if (!first || !last) break;
    const range = new Range();
    range.setStart(first.node, start - first.start);
    range.setEnd(last.node, Math.min(end - last.start, last.node.data.length));
    ranges.push(range);
    start = text.indexOf(query, end);
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
 * @param {"found" | "found-here"} name  the highlight's name in the style sheet
 * @param {Range[]} ranges  none removes the highlight
 */
export function highlight(name, ranges) {
  if (!globalThis.CSS?.highlights) return;
  if (ranges.length) CSS.highlights.set(name, new Highlight(...ranges));
  else CSS.highlights.delete(name);
}
