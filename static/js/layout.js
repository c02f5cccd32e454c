// The divider between trace and form: dragged, or moved by its arrow keys, and remembered by this browser.

const KEY = "form-width";
const LEAST = 400; // pixels; what the form keeps
const TRACE_LEAST = 360;
const STEP = 24;

const workbench = () => document.querySelector(".workbench");
const divider = () => document.querySelector(".workbench > .divider");
const most = () => Math.max(LEAST, workbench().clientWidth - TRACE_LEAST);
const width = () => Math.round(workbench().querySelector(".panel").getBoundingClientRect().width);

// A browser may forbid the storage: then the width lasts as long as the page.
function remembered() {
  try {
    return Number(localStorage.getItem(KEY)) || null;
  } catch {
    return null;
  }
}

function remember(pixels) {
  try {
    if (pixels) localStorage.setItem(KEY, pixels);
    else localStorage.removeItem(KEY);
  } catch {}
}

// On the root element, which stays while item follows item.
function apply(pixels) {
  if (pixels) document.documentElement.style.setProperty("--form", `${pixels}px`);
  else document.documentElement.style.removeProperty("--form");
}

function set(pixels) {
  apply(Math.round(Math.min(Math.max(pixels, LEAST), most())));
  tell();
}

function tell() {
  const bar = divider();
  if (!bar) return;
  bar.setAttribute("aria-valuemax", most());
  bar.setAttribute("aria-valuenow", width());
  bar.setAttribute("aria-valuetext", `The form is ${width()} pixels wide`);
}

function dress() {
  const bar = divider();
  if (!bar || bar.hasAttribute("role")) return;
  const attributes = {
    role: "separator",
    tabindex: "0",
    "aria-label": "Width of the form",
    "aria-orientation": "vertical",
    "aria-valuemin": LEAST,
  };
  for (const [name, value] of Object.entries(attributes)) bar.setAttribute(name, value);
  tell();
}

function onKey(event) {
  if (!event.target.matches?.(".divider") || event.altKey || event.ctrlKey || event.metaKey) return;
  const moves = {
    ArrowLeft: () => width() + STEP,
    ArrowRight: () => width() - STEP,
    Home: () => LEAST,
    End: most,
  };
  const move = moves[event.key];
  if (!move) return;
  event.preventDefault();
  // The arrows mean other things elsewhere on the page.
  event.stopImmediatePropagation();
  set(move());
  remember(width());
}

function onPointer(event) {
  const bar = event.target.closest?.(".divider");
  if (!bar || event.button !== 0) return;
  event.preventDefault();
  bar.focus({ focusVisible: false });
  bar.setPointerCapture(event.pointerId);
  document.documentElement.classList.add("is-dragging");
  const drag = (moved) => set(workbench().getBoundingClientRect().right - moved.clientX);
  const end = () => {
    bar.removeEventListener("pointermove", drag);
    document.documentElement.classList.remove("is-dragging");
    remember(width());
  };
  bar.addEventListener("pointermove", drag);
  bar.addEventListener("lostpointercapture", end, { once: true });
}

export function arrange() {
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("pointerdown", onPointer);
  document.addEventListener("dblclick", (event) => {
    if (!event.target.closest?.(".divider")) return;
    remember(null);
    apply(null);
    tell();
  });
  document.addEventListener("htmx:afterSettle", dress);
  window.addEventListener("resize", tell);
  dress();
}

// At once, before the first paint: the page loads this file with blocking="render".
apply(remembered());
