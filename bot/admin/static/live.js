// Keeps the page fresh: asks for its parts again and again and exchanges those that changed.
// It rests while nobody looks, and leaves alone what somebody is in.
"use strict";

const status = document.getElementById("status");
const page = document.getElementById("live");
const every = Number(status.dataset.every);
let timer = 0;

async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const answer = await fetch(status.dataset.live, { cache: "no-store" });
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
    say("");
  } catch (error) {
    say(`Easel does not answer (${error.message}). What stands here may be old.`);
  }
  timer = setTimeout(refresh, every);
}

function exchange(fresh) {
  const parts = [...fresh.querySelectorAll("section[id]")];
  if (!parts.length) throw new Error("something else came");
  const ids = parts.map((part) => part.id);
  if (ids.join() !== [...page.children].map((part) => part.id).join()) {
    page.replaceChildren(...parts);
    return;
  }
  for (const part of parts) {
    const old = document.getElementById(part.id);
    if (old.contains(document.activeElement)) continue;
    old.hidden = part.hidden;
    if (old.innerHTML !== part.innerHTML) old.replaceChildren(...part.childNodes);
  }
}

function say(words) {
  if (status.textContent !== words) status.textContent = words;
}

document.addEventListener("visibilitychange", refresh);
timer = setTimeout(refresh, every);
