// The next two items, fetched while one reads.
import { bench, item } from "./workbench.js";
import * as outbox from "./outbox.js";

const FRESH = 60_000;
const RENEWED = 40_000;
const LOOK = 15_000;

const ahead = new Map();
let order = [];
let taken = null;
// The number of an item that was left unread: it stays the next one, whatever an answer on its way says.
let back = null;
let isAway = false;
let isFilling = false;

export const numberOf = (address) => address.match(/(\d+)\/$/)?.[1];
const isComing = (number) => number !== item() && !outbox.has(number);

// The next item's {item, address, html}, once; null without a fresh one.
export function take() {
  for (const number of order) {
    const page = takeOne(number);
    if (page) return page;
  }
  return null;
}

// The same of exactly this item. Without network an older one will do.
export function takeOne(number) {
  const page = ahead.get(number);
  const isFresh = page && (Date.now() - page.at < FRESH || isAway || outbox.isAway());
  if (!isFresh || !isComing(number)) return null;
  ahead.delete(number);
  back = null;
  taken = { item: number, ...page };
  return taken;
}

// The item was left unread, for the one before it: it is the next one again.
export function giveBack(number) {
  if (taken?.item !== number) return;
  ahead.set(number, taken);
  back = number;
  order = [number, ...order.filter((other) => other !== number)];
}

export async function fill() {
  const from = item();
  const where = bench()?.dataset.upcoming;
  if (!where || isFilling || document.hidden || outbox.entries().length) return;
  isFilling = true;
  try {
    const addresses = await (await ask(where)).json();
    order = [...new Set([...(back ? [back] : []), ...addresses.map(numberOf)])];
    for (const number of ahead.keys()) if (!order.includes(number)) ahead.delete(number);
    for (const address of addresses) await fetchOne(address);
    isAway = false;
  } catch {
    isAway = true;
  } finally {
    isFilling = false;
  }
  if (!isAway && item() && item() !== from) fill();
}

async function fetchOne(address) {
  const number = numberOf(address);
  const held = ahead.get(number);
  if (!isComing(number) || (held && Date.now() - held.at < RENEWED)) return;
  const at = Date.now();
  const html = await (await ask(address, { "Desk-Prefetch": "1" })).text();
  ahead.delete(number);
  if (isComing(number)) ahead.set(number, { address, html, at });
}

async function ask(address, headers = {}) {
  const answer = await fetch(address, { headers: { "HX-Request": "true", ...headers }, signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer;
}

export function follow() {
  setInterval(fill, LOOK);
}
