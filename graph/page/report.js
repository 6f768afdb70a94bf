"use strict";
// Tables of the class sortable are sorted by a click on the head of a column:
// numbers by data-v, from large to small first, words by themselves.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    const numbers = head.classList.contains("num");
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const down = before ? before === "ascending" : numbers;
      for (const h of heads) h.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const key = (row) => {
        const cell = row.cells[column];
        return numbers ? Number(cell.dataset.v) : cell.textContent;
      };
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) => {
        const order = numbers ? a - b : a.localeCompare(b);
        return down ? -order : order;
      });
      body.replaceChildren(...rows.map(([, row]) => row));
    });
  });
}
