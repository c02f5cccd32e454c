// Opens an item and each of its tabs in the page's own way, and tells what does not belong there.
async ([item, tabs]) => {
  const told = [], add = (words) => told.push(words.slice(0, 300));
  const open = (url, target) => htmx.ajax("GET", url, { target, swap: "outerHTML" });
  await open(item, "#workbench");
  for (const tab of tabs) {
    if (tab !== "transcript") await open(`${document.querySelector("#reading").dataset.url}?tab=${tab}`, "#reading");
    for (const fold of [...document.querySelectorAll("#reading details")].slice(0, 3)) fold.open = true;
    await new Promise((done) => setTimeout(done, 2));
    for (let n = 0; n < 200 && document.querySelector("#reading .htmx-request"); n += 1) {
      await new Promise((done) => setTimeout(done, 5));
    }
    const shown = document.querySelector("#reading");
    for (const bad of shown.querySelectorAll("script, img, iframe, object, embed, style, link, base, meta, video, audio, math, portal, textarea")) {
      // An image that the trace carries in itself, from our own address and only when it is asked for.
      if (bad.matches(".picture > img[loading=lazy]") && /^\/p\/[^/]+\/traces\/[^/]+\/images\//.test(bad.getAttribute("src"))) continue;
      add(`${tab}: a <${bad.tagName}> element`);
    }
    for (const node of shown.querySelectorAll("*")) {
      for (const { name, value } of node.attributes) {
        if (/^on|^style$|^srcdoc$|^hx-on|^name$/i.test(name) && !(name === "name" && /^(find|tab|key)$/.test(value))) add(`${tab}: ${name}="${value}"`);
        if (name === "id" && !/^(reading|found|jumped|keys-holding|(turn|parts|step)-\d+)$/.test(value)) add(`${tab}: id="${value}"`);
        if (/^(href|src|action|hx-get)$/.test(name) && new URL(value, location).origin !== location.origin) add(`${tab}: ${name}="${value}"`);
      }
    }
    if (/[\u0000-\u0008\u001b\u009b\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(shown.textContent.replace(/\u200d/g, ""))) add(`${tab}: a hidden character`);
    if (document.querySelectorAll("#review, #workbench, #submit").length !== 3) add(`${tab}: our own form is not one`);
  }
  if (window.pwned !== undefined || {}.pwned !== undefined) add("something ran");
  return told;
}
