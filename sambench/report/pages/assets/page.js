"use strict";
// Theme, tables that sort, filter and turn pages, plots as PNG. Nothing is fetched; nothing is built from text as HTML.
(() => {
  const root = document.documentElement;
  const kept = (key, value) => {
    try { return value === undefined ? localStorage.getItem(key) : localStorage.setItem(key, value); }
    catch { return null; } // a browser may refuse storage to file://
  };
  const theme = document.getElementById("theme");
  const set = (value) => {
    if (value === "light" || value === "dark") root.dataset.theme = value; else delete root.dataset.theme;
    if (theme) theme.value = value || "system";
  };
  set(kept("sambench-theme"));
  if (theme) theme.addEventListener("change", () => { kept("sambench-theme", theme.value); set(theme.value); });

  const PAGE = 50;
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const tools = document.getElementById(`${table.id}-tools`);
    const search = tools && tools.querySelector("input");
    const status = tools && tools.querySelector("[role=status]");
    const turn = tools ? [...tools.querySelectorAll("button")] : [];
    const filters = tools ? [...tools.querySelectorAll("select[data-filter]")] : [];
    const order = tools && tools.querySelector("select[data-sort]");
    const given = [...rows];
    if (tools) tools.hidden = false; // without this script they would do nothing
    let page = 0;
    const value = (row, column) => {
      const cell = row.cells[column];
      return cell.dataset.value === undefined ? cell.textContent.trim() : cell.dataset.value;
    };
    const show = () => {
      const words = search ? search.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
      const found = [...body.rows].filter((row) => {
        const text = row.textContent.toLowerCase();
        const chosen = ({ value, dataset }) => !value || row.dataset[dataset.filter].split("\n").includes(value);
        const fits = words.every((word) => text.includes(word)) && filters.every(chosen);
        if (!fits) row.hidden = true;
        return fits;
      });
      const pages = Math.max(1, Math.ceil(found.length / PAGE));
      page = Math.min(Math.max(page, 0), pages - 1);
      found.forEach((row, i) => { row.hidden = Math.floor(i / PAGE) !== page; });
      if (status) status.textContent = `${found.length} of ${rows.length} rows` + (pages > 1 ? `, page ${page + 1} of ${pages}` : "");
      turn.forEach((button, i) => { button.hidden = pages < 2; button.disabled = i ? page >= pages - 1 : page === 0; });
    };
    const sort = (column, down) => {
      const numeric = table.tHead.rows[0].cells[column].classList.contains("n");
      const known = (text) => text !== "" && !(numeric && Number.isNaN(Number(text)));
      rows.sort((a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        if (known(x) !== known(y)) return known(x) ? -1 : 1; // what is not known comes last either way
        const order = numeric ? Number(x) - Number(y) : x.localeCompare(y, undefined, { numeric: true });
        return down ? -order : order;
      });
      body.append(...rows);
      page = 0;
      show();
    };
    const heads = [...table.tHead.querySelectorAll("button")];
    const mark = (head, way) => {
      for (const each of table.tHead.rows[0].cells) each.setAttribute("aria-sort", "none");
      if (head) head.setAttribute("aria-sort", way);
      if (order) order.value = head ? head.cellIndex : "";
    };
    heads.forEach((button) => {
      button.addEventListener("click", () => {
        const head = button.closest("th");
        const first = head.dataset.first || "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const next = head.getAttribute("aria-sort") === first ? other : first;
        mark(head, next);
        sort(head.cellIndex, next === "descending");
      });
    });
    if (order) {
      for (const button of heads) {
        const head = button.closest("th");
        order.add(new Option(head.dataset.name || button.textContent, head.cellIndex));
      }
      order.addEventListener("change", () => {
        const head = order.value && table.tHead.rows[0].cells[order.value];
        mark(null);
        if (head) { head.querySelector("button").click(); return; }
        rows.splice(0, rows.length, ...given);
        body.append(...rows);
        page = 0;
        show();
      });
    }
    for (const each of [search, ...filters]) if (each) each.addEventListener("input", () => { page = 0; show(); });
    turn.forEach((button, i) => button.addEventListener("click", () => { page += i ? 1 : -1; show(); }));
    show();
  }

  // A plot as PNG on white: its SVG in the colours of the light theme, at 160 dots an inch.
  const inLight = (text) => {
    const before = root.dataset.theme;
    root.dataset.theme = "light";
    const style = getComputedStyle(root);
    const drawn = text.replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    return drawn;
  };
  const savePng = (link) => {
    const svg = link.closest("figure").querySelector("svg");
    const copy = svg.cloneNode(true);
    const { width, height } = svg.viewBox.baseVal;
    copy.setAttribute("width", Math.round(width * 160 / 72));
    copy.setAttribute("height", Math.round(height * 160 / 72));
    const image = new Image();
    image.addEventListener("load", () => {
      const canvas = document.createElement("canvas");
      canvas.width = image.width;
      canvas.height = image.height;
      const context = canvas.getContext("2d");
      context.fillStyle = "white";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, 0, 0);
      const file = document.createElement("a");
      file.href = canvas.toDataURL("image/png");
      file.download = link.dataset.png;
      file.click();
    });
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(inLight(new XMLSerializer().serializeToString(copy)))}`;
  };
  for (const link of document.querySelectorAll("button[data-png]")) {
    link.hidden = false; // without this script it would do nothing
    link.addEventListener("click", () => savePng(link));
  }
})();
