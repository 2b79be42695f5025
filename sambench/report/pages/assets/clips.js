"use strict";
// The clips of a board: choose one, move through its frames, see J and F over time.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const [run, clip, screen, slider, status, plot, table] = ["run", "clip", "screen", "frame", "status", "plot", "table"].map(at);
  const SERIES = 8, H = 190, LEFT = 34, BOTTOM = 22;
  let timer = null, W = 720;

  const make = (name, properties = {}, ...children) => {
    const element = document.createElement(name);
    Object.assign(element, properties);
    element.append(...children);
    return element;
  };
  const svg = (name, attributes, text = "") => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return element;
  };
  const number = (value) => (value === null || value === undefined ? "–" : (value * data.factor).toFixed(data.decimals));
  const now = () => data.clips[clip.value];
  const objects = () => now().runs[run.value];
  const length = () => Math.max(1, ...Object.values(objects()).map((own) => own.j.length), (now().shown || [0]).at(-1) + 1);
  const frame = () => (now().shown ? now().shown[slider.value] : Number(slider.value));
  const mean = (values) => {
    const known = values.filter((value) => value !== null);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  };

  // Worst first, by the run that is chosen; clips that failed last.
  const ordered = () => [...data.clips.keys()].sort((a, b) =>
    (data.clips[a].scores[run.value] ?? 9) - (data.clips[b].scores[run.value] ?? 9));

  // The pictures stay where they are and change their source: the one before is seen until the next is there.
  const [photo, masks, outlines] = ["", "over", "over"].map((className) => make("img", { className, alt: "" }));
  const empty = make("span", { className: "empty", textContent: data.why });
  screen.append(photo, masks, outlines, empty);
  const put = (image, address) => {
    image.hidden = !address;
    if (address && image.getAttribute("src") !== address) image.src = address;
  };
  const show = () => {
    const { photos, truth, predicted, names, width, height } = now(), place = slider.value;
    screen.style.aspectRatio = `${width || 16} / ${height || 9}`;
    screen.style.setProperty("--ratio", (width || 16) / (height || 9));
    empty.hidden = Boolean(photos);
    put(photo, photos && photos[place]);
    photo.alt = photos ? `frame ${names[place]}` : "";
    put(masks, photos && at("prediction").checked && predicted[run.value][place]);
    put(outlines, photos && at("truth").checked && truth[place]);
    const here = Object.values(objects()), j = mean(here.map((own) => own.j[frame()] ?? null)), f = mean(here.map((own) => own.f[frame()] ?? null));
    const values = j === null ? "does not count" : `J ${number(j)}, F ${number(f)}`;
    const kept = photos && !predicted[run.value].length ? "; no prediction was kept" : "";
    status.textContent = `frame ${names ? names[place] : frame()} of ${now().id}: ${values}${kept}`;
    const cursor = at("cursor");
    if (cursor) cursor.setAttribute("transform", `translate(${x(frame())} 0)`);
    for (const next of [1, 2]) if (photos && photos[Number(place) + next]) new Image().src = photos[Number(place) + next];
  };

  const x = (t) => LEFT + (W - LEFT - 8) * (length() > 1 ? t / (length() - 1) : 0);
  const y = (value) => 8 + (H - BOTTOM - 8) * (1 - value);
  const path = (values) => {
    let d = "", pen = "M";
    values.forEach((value, t) => {
      if (value === null) { pen = "M"; return; }
      d += `${pen}${x(t).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    });
    return d;
  };
  const draw = () => {
    W = Math.max(280, plot.clientWidth || 720); // a unit is a pixel, so that words stay readable on a phone
    const canvas = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `J and F of the objects of ${now().id} in each frame` });
    for (const value of [0, .5, 1]) {
      canvas.append(svg("path", { d: `M${LEFT} ${y(value)}H${W - 8}`, class: "rule" }));
      canvas.append(svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, String(value * data.factor)));
    }
    canvas.append(svg("text", { x: LEFT, y: H - 5 }, "frame 0"), svg("text", { x: W - 8, y: H - 5, "text-anchor": "end" }, String(length() - 1)));
    const keys = [];
    Object.entries(objects()).forEach(([id, own], i) => {
      const colour = `var(--s${i % SERIES + 1})`;
      canvas.append(svg("path", { d: path(own.j), class: "line", stroke: colour }));
      canvas.append(svg("path", { d: path(own.f), class: "line", stroke: colour, "stroke-dasharray": "5 4" }));
      const key = make("span", { className: "key" });
      key.style.background = colour;
      keys.push(make("span", {}, key, ` object ${id}: J ${number(mean(own.j))} (line), F ${number(mean(own.f))} (dashes)`));
    });
    const cursor = svg("g", { id: "cursor" });
    cursor.append(svg("path", { d: `M0 4V${H - BOTTOM}`, class: "cursor" }));
    canvas.append(cursor);
    const seek = (event) => {
      const box = canvas.getBoundingClientRect();
      const t = ((event.clientX - box.left) / box.width * W - LEFT) / (W - LEFT - 8) * (length() - 1);
      const shown = now().shown || [...Array(length()).keys()];
      const near = shown.reduce((best, each, place) => (Math.abs(each - t) < Math.abs(shown[best] - t) ? place : best), 0);
      move(near);
    };
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); seek(event); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) seek(event); });
    plot.replaceChildren(canvas, make("p", { className: "keys small" }, ...keys));
  };

  const move = (place) => {
    slider.value = Math.min(Math.max(place, 0), slider.max);
    show();
  };
  const step = (by) => move(Number(slider.value) + by);
  const play = (going) => {
    clearInterval(timer);
    timer = going ? setInterval(() => (slider.value === slider.max ? play(false) : step(1)), 100) : null;
    at("play").textContent = going ? "Pause" : "Play";
    at("play").setAttribute("aria-pressed", String(going));
  };
  const open = (index) => {
    play(false);
    clip.value = index;
    slider.max = (now().shown || [...Array(length()).keys()]).length - 1;
    slider.value = 0;
    draw();
    show();
    for (const row of table.tBodies[0].rows) row.toggleAttribute("data-open", row.dataset.clip === String(index));
  };

  const rows = () => {
    table.tHead.replaceChildren(make("tr", {}, make("th", { textContent: "clip" }), make("th", { textContent: "frames", className: "n" }),
      ...data.runs.map((name) => make("th", { textContent: `${name}, ${data.metric}`, className: "n" }))));
    table.tBodies[0].replaceChildren(...ordered().map((index) => {
      const each = data.clips[index], link = make("button", { type: "button", textContent: each.id });
      link.addEventListener("click", () => { open(index); screen.scrollIntoView({ block: "nearest" }); });
      const own = Object.values(each.runs[run.value])[0];
      const row = make("tr", {}, make("th", { scope: "row" }, link), make("td", { className: "n", textContent: own ? own.j.length : "–" }),
        ...each.scores.map((value) => make("td", { className: "n", textContent: number(value) })));
      row.dataset.clip = index;
      return row;
    }));
  };
  const choose = () => {
    const before = clip.value, order = ordered();
    clip.replaceChildren(...order.map((index) => make("option", { value: index, textContent: data.clips[index].id + (data.clips[index].photos ? "" : " (not drawn)") })));
    rows();
    open(before === "" ? order.find((index) => data.clips[index].photos) ?? order[0] : before);
  };

  const named = data.runs.indexOf(decodeURIComponent(location.hash.slice(1)));
  if (named >= 0) run.value = named;
  run.addEventListener("change", () => { const place = slider.value; choose(); move(Number(place)); });
  clip.addEventListener("change", () => open(clip.value));
  slider.addEventListener("input", show);
  for (const id of ["truth", "prediction"]) at(id).addEventListener("change", show);
  at("back").addEventListener("click", () => step(-1));
  at("on").addEventListener("click", () => step(1));
  at("play").addEventListener("click", () => play(timer === null));
  addEventListener("resize", () => { draw(); show(); });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches?.("select, button, input:not([type=range])") && event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    if (event.target.matches?.("select") || event.altKey || event.ctrlKey || event.metaKey) return;
    const moves = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: () => move(0), End: () => move(Number(slider.max)), " ": () => play(timer === null) };
    if (!(event.key in moves)) return;
    event.preventDefault();
    moves[event.key]();
  });
  choose();
})();
