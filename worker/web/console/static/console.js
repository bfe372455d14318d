// Live updates: the middle of the page is replaced when it has changed, unless somebody is at work in it.
"use strict";
(() => {
  const main = document.getElementById("main");
  const end = "<!--/main-->";
  const address = main && main.dataset.live;
  let pending = null;

  const busy = () => {
    const at = document.activeElement;
    const inside = at && at !== main && main.contains(at);
    return inside || main.querySelector("details[open]") || String(document.getSelection()) !== "";
  };

  const show = () => {
    if (pending === null || busy()) return;
    const told = main.querySelector(":scope > .told");
    main.innerHTML = pending;
    if (told) main.prepend(told);
    pending = null;
  };

  if (address && "EventSource" in window) {
    const source = new EventSource(address);
    source.onmessage = (event) => {
      pending = JSON.parse(event.data).replace(end, "");
      show();
    };
    source.addEventListener("over", () => {
      source.close();
      document.getElementById("lost").hidden = false;
    });
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) document.getElementById("lost").hidden = false;
    };
    main.addEventListener("focusout", () => setTimeout(show, 100));
    document.addEventListener("visibilitychange", show);
  }

  // On a phone the menu is wider than the screen.
  const here = document.querySelector(".top nav [aria-current]");
  if (here) {
    const menu = here.parentElement;
    const right = here.offsetLeft - menu.offsetLeft + here.offsetWidth;
    if (right > menu.clientWidth) menu.scrollLeft = right - menu.clientWidth + 16;
  }

  document.addEventListener("keydown", (event) => {
    const field = document.getElementById("text");
    if (event.key === "/" && field && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      field.focus();
    }
  });
})();
