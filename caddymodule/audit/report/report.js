"use strict";
(() => {
  const root = document.documentElement, theme = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const show = () => theme.setAttribute("aria-pressed", String(isDark()));
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; show(); });
  dark.addEventListener("change", show);
  theme.hidden = false;
  show();

  // A cell's value: data-v if there is one, as a number, else its text.
  const valueOf = (row, i) => {
    const cell = row.cells[i];
    return "v" in cell.dataset ? (cell.dataset.v === "" ? NaN : Number(cell.dataset.v)) : cell.textContent.trim();
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") {
      return (Number.isNaN(a) ? -Infinity : a) - (Number.isNaN(b) ? -Infinity : b) || 0;
    }
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  const sort = (table, i) => {
    const heads = [...table.tHead.rows[0].cells], head = heads[i], body = table.tBodies[0];
    const numbers = head.classList.contains("n");
    const was = head.getAttribute("aria-sort");
    const down = was ? was === "ascending" : numbers;
    const rows = [...body.rows].map((row) => [valueOf(row, i), row]);
    rows.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])));
    body.append(...rows.map((r) => r[1]));
    heads.forEach((h) => h.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  };
  const filter = (table) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 6) return;
    const tools = document.createElement("p"), label = document.createElement("label");
    const input = document.createElement("input"), told = document.createElement("output");
    tools.className = "tools";
    input.type = "search";
    input.autocomplete = "off";
    label.append("Only rows with ", input);
    tools.append(label, told);
    table.parentNode.before(tools);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      rows.forEach((row) => {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((w) => text.includes(w));
        left += row.hidden ? 0 : 1;
      });
      told.textContent = words.length ? left + " of " + rows.length : "";
    });
  };
  document.querySelectorAll("table.sortable").forEach((table) => {
    [...table.tHead.rows[0].cells].forEach((head, i) => {
      if (head.classList.contains("plain")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, i));
    });
    filter(table);
  });

  // Only boxes that can be scrolled are stops for the keyboard.
  const boxes = [...document.querySelectorAll(".scroll")];
  const stops = () => boxes.forEach((box) => { box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1; });
  addEventListener("resize", stops);
  document.querySelectorAll("details").forEach((d) => d.addEventListener("toggle", stops));
  stops();
  const opened = [];
  addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((d) => { d.open = true; opened.push(d); }));
  addEventListener("afterprint", () => opened.splice(0).forEach((d) => { d.open = false; }));
})();
