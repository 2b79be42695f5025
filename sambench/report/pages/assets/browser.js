"use strict";
// The image browser: order, filter, page through, open, switch layers, compare two runs.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const PAGE = 24;
  const at = (id) => document.getElementById(id);
  const [runA, runB, order, search, drawn] = ["run-a", "run-b", "order", "search", "drawn"].map(at);
  const [gallery, status, dialog, views, title] = ["gallery", "status", "dialog", "views", "dialog-title"].map(at);
  const boxes = [...document.querySelectorAll("[data-layer]")]; // on the page and again in the dialog
  const names = [...new Set(boxes.map((box) => box.dataset.layer))];
  let page = 0, found = [], open = -1;

  const make = (name, properties = {}, ...children) => {
    const element = document.createElement(name);
    Object.assign(element, properties);
    element.append(...children);
    return element;
  };
  const score = (image, run) => (run === "" ? null : image.scores[run]);
  const text = (value) => (value === null || value === undefined ? "–" : (value * data.factor).toFixed(data.decimals));
  const good = data.lower ? -1 : 1;

  const svg = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const prompts = (image, marks) => {
    const canvas = svg("svg", { viewBox: `0 0 ${image.width} ${image.height}`, class: "over", "aria-hidden": "true" });
    const r = Math.max(3.5, Math.max(image.width, image.height) / 90);
    for (const [x0, y0, x1, y1] of marks.boxes || []) {
      const box = { x: x0, y: y0, width: x1 - x0, height: y1 - y0, fill: "none" };
      canvas.append(svg("rect", { ...box, stroke: "#000", "stroke-opacity": .5, "stroke-width": r * .7 }));
      canvas.append(svg("rect", { ...box, stroke: "#ffd21e", "stroke-width": r * .4 }));
    }
    for (const [x, y, positive] of marks.points || []) {
      canvas.append(svg("circle", { cx: x, cy: y, r, fill: positive ? "#19c05a" : "#e5323c", stroke: "#fff", "stroke-width": r * .35 }));
      const d = positive ? `M${x - r / 2} ${y}h${r}M${x} ${y - r / 2}v${r}` : `M${x - r / 2} ${y}h${r}`;
      canvas.append(svg("path", { d, stroke: "#fff", "stroke-width": r * .3 }));
    }
    return canvas;
  };
  const stack = (image, run) => {
    const box = make("span", { className: "stack" });
    box.style.aspectRatio = `${image.width || 4} / ${image.height || 3}`;
    box.style.setProperty("--ratio", (image.width || 4) / (image.height || 3));
    if (!image.layers) {
      box.append(make("span", { className: "empty", textContent: data.why || "not drawn; raise --images" }));
      return box;
    }
    const layers = { ...image.layers, ...(image.runs[run] || {}).layers };
    for (const name of names) {
      let layer = null;
      const marks = (image.runs[run] || {}).prompts || {};
      if (name === "Prompts") layer = prompts(image, marks);
      else if (name === "Later prompts") layer = prompts(image, { points: marks.later });
      else if (layers[name]) {
        layer = make("img", { src: layers[name], alt: name === "Photo" ? image.id : "", loading: "lazy", decoding: "async" });
        if (name !== "Photo") layer.className = "over";
      }
      if (layer) { layer.dataset.name = name; box.append(layer); }
    }
    return box;
  };
  const switchLayers = () => {
    const on = Object.fromEntries(boxes.map((box) => [box.dataset.layer, box.checked]));
    for (const layer of document.querySelectorAll("[data-name]")) layer.style.display = on[layer.dataset.name] ? "" : "none";
  };
  const rank = () => {
    const [a, b] = [runA.value, runB.value];
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = data.images.filter((image) => (!drawn.checked || image.layers) && words.every((word) => image.id.toLowerCase().includes(word)));
    const values = found.map((image) => score(image, a)).filter((value) => value !== null && value !== undefined).sort((x, y) => x - y);
    const median = values.length ? values[Math.floor((values.length - 1) / 2)] : 0;
    const by = {
      worst: (image) => good * score(image, a),
      best: (image) => -good * score(image, a),
      median: (image) => Math.abs(score(image, a) - median),
      differ: (image) => -Math.abs(score(image, a) - score(image, b)),
    }[order.value];
    const lost = (image) => [null, undefined].includes(score(image, a)) || (order.value === "differ" && [null, undefined].includes(score(image, b)));
    found.sort((x, y) => lost(x) - lost(y) || (lost(x) ? 0 : by(x) - by(y)) || (x.id < y.id ? -1 : 1));
  };
  const label = (image) => {
    const [a, b] = [runA.value, runB.value];
    return b === "" ? text(score(image, a)) : `${text(score(image, a))} / ${text(score(image, b))}`;
  };
  const show = () => {
    order.querySelector("[value=differ]").disabled = runB.value === "";
    if (runB.value === "" && order.value === "differ") order.value = "worst";
    rank();
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    gallery.replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map((image, i) => {
      const card = make("button", { className: "card", type: "button" }, stack(image, runA.value),
        make("span", { className: "text" }, make("span", { textContent: image.id }), make("span", { textContent: label(image) })));
      card.setAttribute("aria-label", `open ${image.id}, ${data.metric} ${label(image)}`);
      card.addEventListener("click", () => view(page * PAGE + i));
      return make("li", {}, card);
    }));
    status.textContent = `${found.length} of ${data.images.length} images` + (pages > 1 ? `, page ${page + 1} of ${pages}` : "");
    at("previous").disabled = page === 0;
    at("next").disabled = page >= pages - 1;
    switchLayers();
  };
  const view = (index) => {
    if (!found.length) return;
    open = (index + found.length) % found.length;
    const image = found[open];
    const runs = [runA.value, runB.value].filter((run, i) => run !== "" && (i === 0 || run !== runA.value));
    title.textContent = `${image.id} (${open + 1} of ${found.length})`;
    views.replaceChildren(...runs.map((run) => {
      const name = data.runs[run];
      return make("div", {}, stack(image, run), make("p", {}, make("strong", { textContent: name }), ` ${data.metric} ${text(score(image, run))}`));
    }));
    switchLayers();
    if (!dialog.open) dialog.showModal();
  };
  for (const control of [runA, runB, order, drawn]) control.addEventListener("change", () => { page = 0; show(); });
  search.addEventListener("input", () => { page = 0; show(); });
  boxes.forEach((box) => box.addEventListener("change", () => {
    for (const same of boxes) if (same.dataset.layer === box.dataset.layer) same.checked = box.checked;
    switchLayers();
  }));
  at("previous").addEventListener("click", () => { page -= 1; show(); });
  at("next").addEventListener("click", () => { page += 1; show(); });
  at("view-previous").addEventListener("click", () => view(open - 1));
  at("view-next").addEventListener("click", () => view(open + 1));
  at("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    const card = gallery.children[open - page * PAGE];
    if (card) card.firstChild.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input[type=search], select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const box = boxes[Number(event.key) - 1];
    if (box) box.click();
    else if (dialog.open && event.key === "ArrowRight") view(open + 1);
    else if (dialog.open && event.key === "ArrowLeft") view(open - 1);
    else return;
    event.preventDefault();
  });
  const wanted = data.runs.indexOf(decodeURIComponent(location.hash.slice(1)));
  if (wanted >= 0) runA.value = String(wanted);
  show();
})();
