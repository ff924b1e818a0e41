"use strict";

// Tables: the button of a column sorts by it, upwards, downwards, and as it was.
const numeric = /^([+\-−]?\d*\.?\d+(?:e[+-]?\d+)?)/i;

function keyOf(row, column) {
  const text = row.cells[column].textContent.trim();
  const found = numeric.exec(text.replace(/(?<=\d),(?=\d{3})/g, ""));
  return { text, number: found ? Number(found[1].replace("−", "-")) : NaN };
}

function compare(a, b, isNumeric) {
  if (!isNumeric) return a.text.localeCompare(b.text);
  return a.number - b.number;
}

function sortRows(table, rows, column, direction) {
  const keyed = rows.map((row) => ({ row, key: keyOf(row, column) }));
  const known = keyed.filter(({ key }) => !Number.isNaN(key.number));
  const isNumeric = known.length * 2 > keyed.filter(({ key }) => key.text.length > 1).length;
  const lacks = ({ key }) => (isNumeric ? Number.isNaN(key.number) : !key.text);
  const present = keyed.filter((each) => !lacks(each));
  if (direction) present.sort((a, b) => direction * compare(a.key, b.key, isNumeric));
  const order = direction ? [...present, ...keyed.filter(lacks)] : keyed;
  table.tBodies[0].append(...order.map(({ row }) => row));
  table.classList.toggle("sorted", direction !== 0);
}

for (const table of document.querySelectorAll("table")) {
  const rows = [...(table.tBodies[0]?.rows ?? [])];
  for (const cell of rows.flatMap((row) => [...row.cells])) {
    if (cell.textContent.length > 40) cell.classList.add("long");
  }
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.scope = "col";
    if (!head.textContent.trim() || rows.length < 2) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" };
      const sort = next[head.getAttribute("aria-sort")];
      for (const other of heads) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", sort);
      sortRows(table, rows, column, { none: 0, ascending: 1, descending: -1 }[sort]);
    });
  });
}

// Sliders: menus and a slider choose the picture.
for (const slider of document.querySelectorAll(".slider")) {
  const { choices, frames, pictures } = JSON.parse(slider.querySelector("script").textContent);
  const form = slider.querySelector("form");
  const controls = [...form.querySelectorAll("select, input")];
  const range = form.querySelector("input");
  const shown = slider.querySelector(".shown");
  const legend = slider.querySelector(".legend");
  const caption = slider.querySelector("figcaption");
  const show = () => {
    const value = choices.at(-1)[Number(range.value)];
    form.querySelector("output").textContent = value;
    range.setAttribute("aria-valuetext", value);
    const frame = frames[controls.map((each) => each.value).join(" ")];
    shown.hidden = !frame;
    if (legend) legend.hidden = frame?.[1] == null;
    caption.textContent = frame ? frame[2] : "There is no picture of this choice.";
    if (!frame) return;
    shown.src = pictures[frame[0]];
    shown.alt = frame[2];
    if (legend && frame[1] != null) legend.src = pictures[frame[1]];
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  show();
}

// Galleries: limits of values choose cards, a menu their order; a button shows all of them.
const FEW = 24;
for (const gallery of document.querySelectorAll(".gallery")) {
  const form = gallery.querySelector("form");
  if (!form) continue;
  const list = gallery.querySelector(".cards");
  const cards = [...list.children].map((item) => ({ item, values: JSON.parse(item.dataset.values) }));
  const count = gallery.querySelector(".count");
  const what = count.textContent.replace(/^\d+ /, "");
  const more = gallery.querySelector(".more");
  let most = FEW;
  const update = () => {
    const limits = [...form.querySelectorAll("input")].filter((each) => each.value !== "");
    const [name, direction] = form.elements.order.value.split(/ (?=-?1$)/);
    const order = name ? [...cards].sort((a, b) => Number(direction) * (a.values[name] - b.values[name])) : cards;
    let left = 0;
    for (const { item, values } of order) {
      const chosen = limits.every(({ name, value, dataset }) =>
        dataset.end === "low" ? values[name] >= Number(value) : values[name] <= Number(value));
      left += chosen ? 1 : 0;
      item.hidden = !chosen || left > most;
    }
    list.append(...order.map(({ item }) => item));
    more.hidden = left <= most;
    count.textContent = left === cards.length ? `${left} ${what}` : `${left} of ${cards.length} ${what}`;
  };
  more.addEventListener("click", () => {
    const next = [...list.children].filter((item) => !item.hidden).length;
    most = Infinity;
    update();
    [...list.children].filter((item) => !item.hidden)[next].querySelector("button").focus();
  });
  form.addEventListener("input", update);
  form.addEventListener("reset", () => setTimeout(update));
  form.addEventListener("submit", (event) => event.preventDefault());
  const filter = form.closest("details");
  filter.hidden = false;
  filter.open = matchMedia("(min-width: 40rem)").matches;
  update();
}

// Copies a name; without a clipboard it is selected, to be copied by hand.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    getSelection().selectAllChildren(button.previousElementSibling);
    said = document.execCommand("copy") ? "Copied" : "Selected";
  }
  button.textContent = said;
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});
