// Opens an item and each of its tabs as the page does; returns what a page must not contain.
async ([item, tabs]) => {
  const findings = [];
  const report = (text) => findings.push(text.slice(0, 300));
  const open = (url, target) => htmx.ajax("GET", url, { target, swap: "outerHTML" });
  await open(item, "#workbench");
  for (const tab of tabs) {
    if (tab !== "transcript") await open(`${document.querySelector("#reading").dataset.url}?tab=${tab}`, "#reading");
    for (const fold of [...document.querySelectorAll("#reading details")].slice(0, 3)) fold.open = true;
    await new Promise((resolve) => setTimeout(resolve, 2));
    for (let n = 0; n < 200 && document.querySelector("#reading .htmx-request"); n += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const reading = document.querySelector("#reading");
    for (const element of reading.querySelectorAll("script, img, iframe, object, embed, style, link, base, meta, video, audio, math, portal, textarea")) {
      // An image inside the trace itself: served by us, and only on request.
      if (element.matches(".picture > img[loading=lazy]") && /^\/p\/[^/]+\/traces\/[^/]+\/images\//.test(element.getAttribute("src"))) continue;
      report(`${tab}: a <${element.tagName}> element`);
    }
    for (const node of reading.querySelectorAll("*")) {
      for (const { name, value } of node.attributes) {
        if (/^on|^style$|^srcdoc$|^hx-on|^name$/i.test(name) && !(name === "name" && /^(find|tab|key)$/.test(value))) report(`${tab}: ${name}="${value}"`);
        if (name === "id" && !/^(reading|found|jumped|keys-holding|open-turns|(turn|parts|step|detail)-\d+)$/.test(value)) report(`${tab}: id="${value}"`);
        if (/^(href|src|action|hx-get)$/.test(name) && new URL(value, location).origin !== location.origin) report(`${tab}: ${name}="${value}"`);
      }
    }
    if (/[\u0000-\u0008\u001b\u009b\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(reading.textContent.replace(/\u200d/g, ""))) report(`${tab}: a hidden character`);
    if (document.querySelectorAll("#review, #workbench, #submit").length !== 3) report(`${tab}: our own form is missing or doubled`);
  }
  if (window.pwned !== undefined || {}.pwned !== undefined) report("a script ran");
  return findings;
}
