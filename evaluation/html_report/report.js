"use strict";

// Tables sort by a click on a heading; numbers by value, the rest as text.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const key = (row, k) => row.cells[k].dataset.sort ?? row.cells[k].textContent.trim();
  heads.forEach((head, k) => {
    head.tabIndex = 0;
    const sort = () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows];
      rows.sort((a, b) => {
        const x = key(a, k), y = key(b, k);
        const numbers = x !== "" && y !== "" && !isNaN(x) && !isNaN(y);
        return (down ? -1 : 1) * (numbers ? x - y : x.localeCompare(y, "en", { numeric: true }));
      });
      body.append(...rows);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
}

// The filter above a table of routes.
for (const form of document.querySelectorAll(".filter")) {
  const table = document.getElementById(form.dataset.table);
  const words = form.querySelector('input[type="search"]');
  const failed = form.querySelector('input[type="checkbox"]');
  const count = form.querySelector("output");
  const apply = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      const hidden = (failed.checked && !text.includes("✗")) || !wanted.every((word) => text.includes(word));
      row.hidden = hidden;
      shown += !hidden;
    }
    count.textContent = `${shown} of ${table.tBodies[0].rows.length} routes`;
  };
  words.addEventListener("input", apply);
  failed.addEventListener("change", apply);
  apply();
}

// A route's plots: the cursor tells the numbers, moves the dot on the map, and a click goes there in the video.
const stored = document.getElementById("drive");
if (stored) {
  const drive = JSON.parse(stored.textContent);
  const plots = document.querySelector(".plots");
  const cursor = plots.querySelector(".cursor");
  const readout = document.querySelector(".readout");
  const ego = document.querySelector(".pin.ego");
  const video = document.querySelector("video");
  const last = drive.speed.length - 1;
  const show = (seconds) => {
    const k = Math.max(0, Math.min(last, Math.round(seconds / drive.step)));
    const t = Math.min(k * drive.step, drive.seconds);
    const at = `${(100 * t) / drive.seconds}%`;
    cursor.setAttribute("x1", at);
    cursor.setAttribute("x2", at);
    cursor.style.visibility = "visible";
    readout.textContent =
      `${t.toFixed(2)} s   ${drive.speed[k].toFixed(0)} km/h   throttle ${drive.throttle[k].toFixed(2)}   ` +
      `brake ${drive.brake[k].toFixed(2)}   steer ${drive.steer[k].toFixed(2)}   ${drive.percent[k].toFixed(0)} % of the route`;
    if (ego) {
      ego.style.left = `${drive.left[k]}%`;
      ego.style.top = `${drive.top[k]}%`;
      ego.style.visibility = "visible";
    }
  };
  const time = (event) => {
    const box = plots.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * drive.seconds;
  };
  plots.addEventListener("pointermove", (event) => show(time(event)));
  plots.addEventListener("pointerdown", (event) => {
    show(time(event));
    if (video) video.currentTime = Math.max(0, Math.min(time(event), video.duration || 0));
  });
  if (video) video.addEventListener("timeupdate", () => show(video.currentTime));
  for (const row of document.querySelectorAll("tr[data-time]")) {
    row.addEventListener("pointerenter", () => show(Number(row.dataset.time)));
  }
}
