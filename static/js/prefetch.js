// Fetches the next two items while the reviewer reads.
import * as outbox from "./outbox.js";
import { bench, item } from "./workbench.js";

/** @typedef {{item: string, url: string, html: string, at: number}} Page  an item's fragment, and when it was fetched */

const MAX_AGE = 60_000;
const REFETCH_AGE = 40_000;
const INTERVAL = 15_000;
const TIMEOUT = 10_000;

/** @type {Map<string, Page>} */
const pages = new Map();
/** @type {string[]} */
let order = [];
/** @type {Page | null} */
let lastTaken = null;
/** The item that was put back unread: it stays the next one, whatever a response under way says. @type {string | null} */
let putBackItem = null;
let isOffline = false;
let isRefilling = false;

/** @param {string} url */
export const numberOf = (url) => url.match(/(\d+)\/$/)?.[1];

/** @param {string} number */
const isUpcoming = (number) => number !== item() && !outbox.has(number);

/** Take the next item, once; null without a fresh one. */
export function takeNext() {
  for (const number of order) {
    const page = takeItem(number);
    if (page) return page;
  }
  return null;
}

/**
 * Take this very item, once; null without a fresh one. When offline, an older one is good enough.
 *
 * @param {string | undefined} number
 */
export function takeItem(number) {
  const page = pages.get(number ?? "");
  const isFresh = page && (Date.now() - page.at < MAX_AGE || isOffline || outbox.isOffline());
  if (!page || !isFresh || !isUpcoming(page.item)) return null;
  pages.delete(page.item);
  putBackItem = null;
  lastTaken = page;
  return page;
}

/**
 * Make an item the next one again: the reviewer returned to the item before it without reading it.
 *
 * @param {string | undefined} number
 */
export function putBack(number) {
  if (!lastTaken || lastTaken.item !== number) return;
  pages.set(number, lastTaken);
  putBackItem = number;
  order = [number, ...order.filter((other) => other !== number)];
}

/** Fetch again what was fetched: it is not what would be shown now. */
export function forget() {
  pages.clear();
  refill();
}

export async function refill() {
  const current = item();
  const upcoming = bench()?.dataset.upcoming;
  if (!upcoming || isRefilling || document.hidden || outbox.entries().length) return;
  isRefilling = true;
  try {
    await fetchUpcoming(upcoming);
    isOffline = false;
  } catch {
    isOffline = true;
  } finally {
    isRefilling = false;
  }
  if (!isOffline && item() && item() !== current) refill();
}

/** @param {string} url */
async function fetchUpcoming(url) {
  /** @type {string[]} */
  const urls = await (await get(url)).json();
  const numbers = [putBackItem, ...urls.map(numberOf)];
  order = [...new Set(numbers.filter((number) => typeof number === "string"))];
  for (const number of pages.keys()) if (!order.includes(number)) pages.delete(number);
  for (const itemUrl of urls) await fetchItem(itemUrl);
}

/** @param {string} url */
async function fetchItem(url) {
  const number = numberOf(url);
  const page = pages.get(number ?? "");
  if (!number || !isUpcoming(number) || (page && Date.now() - page.at < REFETCH_AGE)) return;
  const at = Date.now();
  const html = await (await get(url, { "Desk-Prefetch": "1" })).text();
  pages.delete(number);
  if (isUpcoming(number)) pages.set(number, { item: number, url, html, at });
}

/**
 * Raises an error for a response other than 2xx.
 *
 * @param {string} url
 * @param {Record<string, string>} headers
 */
async function get(url, headers = {}) {
  const response = await fetch(url, {
    headers: { "HX-Request": "true", ...headers },
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (!response.ok) throw new Error(`${response.status} for ${url}`);
  return response;
}

export function start() {
  setInterval(refill, INTERVAL);
}
