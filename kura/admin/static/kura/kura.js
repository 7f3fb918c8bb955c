/* What a browser with scripts adds; without this file every link and form leads to the same page.
   [data-sends] is a part of the page that htmx sends from. It is busy meanwhile, a real answer has
   an element with the id it names, and without one nothing is swapped and [data-unsent] is shown.
   [data-close] closes the dialog, and / goes to the search. */
"use strict";
const dialog = document.getElementById("dialog");
const part = ({ target }) => target.closest("[data-sends]") ?? target;
const typed = (form) => new URLSearchParams(new FormData(form)).toString();
const unanswered = (from, { requestConfig: { verb, path } }) => {
  const told = from.querySelector("[data-unsent]");
  if (!told) return verb === "get" && location.assign(path);
  told.hidden = false;
  told.focus();
};

addEventListener("htmx:beforeRequest", (event) => {
  const form = part(event).querySelector("form[data-resends]");
  if (form) form.dataset.sent = typed(form);
  part(event).querySelector("[data-unsent]")?.setAttribute("hidden", "");
  part(event).setAttribute("aria-busy", "true");
});
addEventListener("htmx:afterRequest", (event) => {
  part(event).removeAttribute("aria-busy");
  if (document.activeElement === document.body) event.target.focus();
});
addEventListener("htmx:sendError", (event) => unanswered(part(event), event.detail));

/* [data-resends]: what is typed while the form is on its way is sent after it, not swapped away. */
addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr, requestConfig } = event.detail;
  const answered = xhr.responseText.includes(`id="${part(event).dataset.sends}"`);
  const form = target.querySelector("form[data-sent]");
  if (answered && (!form || typed(form) === form.dataset.sent)) return;
  event.detail.shouldSwap = false;
  if (answered) form.requestSubmit(requestConfig.triggeringEvent?.submitter);
  else unanswered(part(event), event.detail);
});

dialog?.addEventListener("htmx:afterSettle", () => {
  if (!dialog.open) dialog.showModal();
  const wrong = "[aria-invalid=true]:not(fieldset), fieldset[aria-invalid=true] input";
  const first = [wrong, "[role=alert]:not([hidden])", "[data-focus]", "#sheet"];
  first.map((one) => dialog.querySelector(one)).find(Boolean).focus();
});
dialog?.addEventListener("close", () => dialog.replaceChildren());
addEventListener("click", (event) => {
  if (!dialog?.open || !event.target.closest("[data-close]")) return;
  event.preventDefault();
  dialog.close();
});

addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  const search = document.querySelector("input[type=search]");
  const meant = event.key === "/" && !(event.ctrlKey || event.metaKey || event.altKey);
  if (!meant || !search || typing || dialog?.open) return;
  event.preventDefault();
  search.focus();
  search.select();
});

/* What a dry run tried has changed. */
addEventListener("input", ({ target }) => {
  const stale = target.form?.querySelector("#dry-run-stale:has(~ input)");
  if (stale && target.name !== "days") stale.hidden = false;
});

/* The theme changes at once; htmx keeps it. */
addEventListener("submit", ({ target, submitter }) => {
  if (target.matches(".theme")) document.documentElement.dataset.theme = submitter.value;
});

/* A page that was reached by its fragment begins there, also after a reload. */
if (location.hash.length > 1) document.getElementById(location.hash.slice(1))?.focus();
