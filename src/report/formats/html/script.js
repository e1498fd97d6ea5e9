"use strict";
(() => {
  const form = document.getElementById("filters");
  const nothing = document.getElementById("nothing");
  const marked = [...document.querySelectorAll("[data-status]")];
  const texts = new Map();
  for (const element of marked) {
    const known = texts.get(element.dataset.index) || "";
    texts.set(element.dataset.index, known + " " + element.textContent.toLowerCase());
  }
  const apply = () => {
    const wanted = new FormData(form);
    const statuses = wanted.getAll("status");
    const rule = wanted.get("rule");
    const text = wanted.get("text").trim().toLowerCase();
    const shown = new Set();
    for (const element of marked) {
      const { index, status, rules } = element.dataset;
      const fits = statuses.includes(status)
        && (!rule || rules.split(" ").includes(rule))
        && (!text || texts.get(index).includes(text));
      element.hidden = !fits;
      if (fits) shown.add(index);
    }
    nothing.hidden = shown.size > 0;
    form.querySelector("output").textContent = `${shown.size} of ${texts.size} shown`;
  };
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", open);
  open();
  apply();
})();
