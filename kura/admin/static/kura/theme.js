/* The theme button without a reload. Without this file the same form reloads the page. */
"use strict";
const ORDER = ["auto", "light", "dark"];

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form.theme")) return;
  event.preventDefault();
  const button = form.querySelector("button");
  const chosen = button.value;
  const data = new FormData(form);
  data.set("theme", chosen);
  document.documentElement.dataset.theme = chosen;
  button.value = ORDER[(ORDER.indexOf(chosen) + 1) % ORDER.length];
  fetch(form.action, { method: "POST", body: data, redirect: "manual" });
});
