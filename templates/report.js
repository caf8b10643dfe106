"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const tools = document.getElementById("tools");
  if (tools) {
    tools.hidden = false;
    const search = document.getElementById("search");
    const group = document.getElementById("group");
    const shown = document.getElementById("shown");
    const boxes = all("input[type=checkbox]", tools);
    // Texts are read once; ten thousand rows are filtered without touching the page for those that stay as they are.
    const checks = all(".check").map((el) => ({
      el,
      group: el.dataset.group,
      own: el.querySelector(".head").textContent.toLowerCase(),
      rows: all("tr[data-level]", el).map((row) => ({ el: row, level: row.dataset.level, since: row.dataset.since,
        text: row.textContent.toLowerCase() })),
    }));
    const set = (el, hidden) => { if (el.hidden !== hidden) el.hidden = hidden; };
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const levels = new Set(boxes.filter((b) => b.name === "level" && b.checked).map((b) => b.value));
      let count = 0;
      for (const check of checks) {
        let any = false;
        for (const row of check.rows) {
          const ok = levels.has(row.level) && words.every((w) => row.text.includes(w) || check.own.includes(w));
          set(row.el, !ok);
          if (ok) { any = true; count += 1; }
        }
        if (check.rows.length === 0) {
          any = levels.has(check.el.dataset.level) && words.every((w) => check.el.textContent.toLowerCase().includes(w));
        }
        set(check.el, !(any && (!group.value || group.value === check.group)));
        if (any && words.length) all("details.rows", check.el).forEach((d) => { d.open = true; });
        if (check.el.hidden) count -= check.rows.filter((r) => !r.el.hidden).length;
      }
      shown.textContent = count === 1 ? "1 finding shown" : `${count} findings shown`;
    };
    let timer;
    const soon = () => { clearTimeout(timer); timer = setTimeout(filter, 120); };
    search.addEventListener("input", soon);
    group.addEventListener("change", filter);
    boxes.forEach((b) => b.addEventListener("change", filter));
    document.addEventListener("keydown", (event) => {
      const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
      if (event.key === "/" && !typing) { event.preventDefault(); search.focus(); }
      if (event.key === "Escape" && document.activeElement === search) { search.value = ""; filter(); }
    });
    filter();
  }
  const say = document.getElementById("say");
  all(".fix button").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const pre = button.parentElement.querySelector("pre");
      try {
        await navigator.clipboard.writeText(pre.textContent);
      } catch {
        // A page from a file may not use the clipboard: the text is selected instead.
        const range = document.createRange();
        range.selectNodeContents(pre);
        const selection = getSelection();
        selection.removeAllRanges();
        selection.addRange(range);
        if (!document.execCommand("copy")) { say.textContent = "selected, press Ctrl-C"; return; }
      }
      button.textContent = "Copied";
      say.textContent = "fix copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  });
  let closed = [];
  addEventListener("beforeprint", () => { closed = all("details:not([open])"); closed.forEach((d) => { d.open = true; }); });
  addEventListener("afterprint", () => { closed.forEach((d) => { d.open = false; }); });
})();
