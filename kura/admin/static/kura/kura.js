/* What a browser with scripts adds; without them every link here leads to the same page.
   <a data-dialog> opens its page's #sheet in the dialog; [data-close] closes it; / focuses search. */
"use strict";
const dialog = document.getElementById("dialog");
const busy = (element, is) => element?.[is ? "setAttribute" : "removeAttribute"]("aria-busy", "true");
const plain = (event) => !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

document.addEventListener("click", (event) => {
  const opener = event.target.closest("a[data-dialog]");
  if (dialog && opener && event.button === 0 && plain(event)) {
    event.preventDefault();
    busy(opener, true);
    const into = { source: dialog, target: dialog, select: "#sheet", swap: "innerHTML" };
    htmx.ajax("GET", opener.href, into).finally(() => busy(opener, false));
    dialog.dataset.page = opener.href;
  } else if (dialog?.open && event.target.closest("[data-close]")) {
    event.preventDefault();
    dialog.close();
  }
});

dialog?.addEventListener("close", () => dialog.replaceChildren());
dialog?.addEventListener("htmx:beforeRequest", () => busy(dialog, true));
dialog?.addEventListener("htmx:afterRequest", () => busy(dialog, false));
dialog?.addEventListener("htmx:sendError", () => {
  const told = dialog.querySelector("[data-unsent]");
  if (!told) return location.assign(dialog.dataset.page);
  told.hidden = false;
  told.focus();
});
dialog?.addEventListener("htmx:afterSettle", () => {
  const sheet = dialog.querySelector("#sheet");
  if (!sheet) return location.assign(dialog.dataset.page);
  if (!dialog.open) dialog.showModal();
  const wrong = "[aria-invalid=true]:not(fieldset), fieldset[aria-invalid=true] input";
  const first = [wrong, "[role=alert]:not([hidden])", "[data-focus]"];
  (first.map((one) => sheet.querySelector(one)).find(Boolean) ?? sheet).focus();
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  const search = document.querySelector("input[type=search]");
  if (event.key !== "/" || typing || dialog?.open || !search || !plain(event)) return;
  event.preventDefault();
  search.focus();
  search.select();
});

/* A dry run says that it is at work, that no answer came, and that what was tried has changed. */
const tried = (event) => event.target.closest?.("#dry-run");
const unsent = (card, is) => { card.querySelector("[data-unsent]").hidden = !is; };
document.addEventListener("htmx:beforeRequest", (event) => {
  if (!tried(event)) return;
  unsent(tried(event), false);
  busy(event.detail.target, true);
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (!tried(event)) return;
  busy(event.detail.target, false);
  if (document.activeElement === document.body) tried(event).querySelector("button").focus();
});
document.addEventListener("htmx:sendError", (event) => tried(event) && unsent(tried(event), true));
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr } = event.detail;
  if (target.id !== "dry-run-result" || xhr.responseText.includes(`id="${target.id}"`)) return;
  event.detail.shouldSwap = false;
  unsent(tried(event), true);
});
document.addEventListener("input", (event) => {
  const stale = document.querySelector("#dry-run-stale:has(~ input)");
  if (stale && event.target.form && stale.closest("form") === event.target.form) {
    stale.hidden = event.target.name === "days" && stale.hidden;
  }
});

/* The editor of a rule: what is typed while it is on its way is sent after it, not swapped away, and
   without an answer the form stays. */
const typed = (form) => new URLSearchParams(new FormData(form)).toString();
const lost = (is) => document.querySelector("#rule-unsent")?.toggleAttribute("hidden", !is);
addEventListener("htmx:beforeRequest", ({ target }) => {
  const form = target.closest("#rule-form form");
  if (form) form.dataset.sent = typed(form);
  lost(false);
});
addEventListener("htmx:sendError", ({ target }) => lost(!tried({ target })));
addEventListener("htmx:beforeSwap", ({ detail }) => {
  const form = detail.target.querySelector("form[data-sent]");
  const answered = detail.xhr.responseText.includes('id="rule-form"');
  if (!form || (answered && typed(form) === form.dataset.sent)) return;
  detail.shouldSwap = false;
  if (answered) form.requestSubmit(detail.requestConfig.triggeringEvent?.submitter);
  else lost(true);
});

/* A page that was reached by its fragment begins there, also after a reload. */
if (location.hash.length > 1) document.getElementById(location.hash.slice(1))?.focus();
