// The divider between trace and form: moved by mouse or arrow keys, and remembered in this browser.
// Without imports: pages load this file with blocking="render", and every import would delay the first paint.

const STORAGE_KEY = "form-width";
const MIN_FORM = 400; // pixels
const MIN_TRACE = 360;
const STEP = 24;

/** @type {() => HTMLElement | null} */
const workbench = () => document.querySelector(".workbench");
/** @type {() => HTMLElement | null} */
const divider = () => document.querySelector(".workbench > .divider");

const maxWidth = () => Math.max(MIN_FORM, (workbench()?.clientWidth ?? 0) - MIN_TRACE);
const formWidth = () => Math.round(workbench()?.querySelector(".panel")?.getBoundingClientRect().width ?? 0);

/** @param {Event} event */
const isOnDivider = (event) => event.target instanceof Element && Boolean(event.target.closest(".divider"));

// A browser may forbid storage: the width then lasts as long as the page.
function storedWidth() {
  try {
    return Number(localStorage.getItem(STORAGE_KEY)) || null;
  } catch {
    return null;
  }
}

/** @param {number | null} pixels */
function storeWidth(pixels) {
  try {
    if (pixels) localStorage.setItem(STORAGE_KEY, String(pixels));
    else localStorage.removeItem(STORAGE_KEY);
  } catch {
    // As above.
  }
}

// Set on the root element, which stays when the next item replaces the workbench.
/** @param {number | null} pixels */
function applyWidth(pixels) {
  if (pixels) document.documentElement.style.setProperty("--form", `${pixels}px`);
  else document.documentElement.style.removeProperty("--form");
}

/** @param {number} pixels */
function resizeForm(pixels) {
  applyWidth(Math.round(Math.min(Math.max(pixels, MIN_FORM), maxWidth())));
  updateAria();
}

function updateAria() {
  const bar = divider();
  if (!bar) return;
  bar.setAttribute("aria-valuemax", String(maxWidth()));
  bar.setAttribute("aria-valuenow", String(formWidth()));
  bar.setAttribute("aria-valuetext", `${formWidth()} pixels`);
}

function setUpDivider() {
  const bar = divider();
  if (!bar || bar.hasAttribute("role")) return;
  const attributes = {
    role: "separator",
    tabindex: "0",
    "aria-label": "Form width",
    "aria-orientation": "vertical",
    "aria-valuemin": String(MIN_FORM),
  };
  for (const [name, value] of Object.entries(attributes)) bar.setAttribute(name, value);
  updateAria();
}

/** @type {Record<string, () => number>} */
const WIDTH_BY_KEY = {
  ArrowLeft: () => formWidth() + STEP,
  ArrowRight: () => formWidth() - STEP,
  Home: () => MIN_FORM,
  End: maxWidth,
};

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (!isOnDivider(event) || event.altKey || event.ctrlKey || event.metaKey) return;
  const width = WIDTH_BY_KEY[event.key];
  if (!width) return;
  event.preventDefault();
  // The arrow keys move between items elsewhere on the page.
  event.stopImmediatePropagation();
  resizeForm(width());
  storeWidth(formWidth());
}

/** @param {PointerEvent} event */
function onPointerDown(event) {
  const bar = divider();
  if (!bar || !isOnDivider(event) || event.button !== 0) return;
  event.preventDefault();
  bar.focus(/** @type {FocusOptions} */ ({ focusVisible: false }));
  bar.setPointerCapture(event.pointerId);
  document.documentElement.classList.add("is-dragging");
  /** @param {PointerEvent} move */
  const onMove = (move) => resizeForm((workbench()?.getBoundingClientRect().right ?? 0) - move.clientX);
  const onEnd = () => {
    bar.removeEventListener("pointermove", onMove);
    document.documentElement.classList.remove("is-dragging");
    storeWidth(formWidth());
  };
  bar.addEventListener("pointermove", onMove);
  bar.addEventListener("lostpointercapture", onEnd, { once: true });
}

/** @param {Event} event */
function onDoubleClick(event) {
  if (!isOnDivider(event)) return;
  storeWidth(null);
  applyWidth(null);
  updateAria();
}

export function start() {
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("pointerdown", onPointerDown);
  document.addEventListener("dblclick", onDoubleClick);
  document.addEventListener("htmx:afterSettle", setUpDivider);
  window.addEventListener("resize", updateAria);
  setUpDivider();
}

// At import, before the first paint.
applyWidth(storedWidth());
