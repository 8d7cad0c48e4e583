"use strict";

function draw() {
  for (const plot of document.querySelectorAll(".plot")) {
    const specification = JSON.parse(plot.nextElementSibling.textContent);
    vegaEmbed(plot, specification, {actions: false, renderer: "svg"});
  }
}

async function copy(button) {
  const words = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(words);
    button.textContent = "copied";
  } catch {
    // Where a page may not write there, the words are selected to be copied by hand.
    getSelection().selectAllChildren(button.previousElementSibling);
    button.textContent = "selected";
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".copy");
  if (button) copy(button);
});

async function renew() {
  const answer = await fetch("main");
  if (!answer.ok) return;
  const main = document.querySelector("main");
  const open = [...main.querySelectorAll("details[open]")].map((one) => one.id);
  main.innerHTML = await answer.text();
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  draw();
}

async function watch() {
  const now = document.getElementById("now");
  let seen = null;
  for (;;) {
    try {
      const state = await (await fetch("state")).json();
      now.textContent = state.words;
      if (state.ended || (seen !== null && state.epochs !== seen)) await renew();
      if (state.ended) return;
      seen = state.epochs;
    } catch {
      now.textContent = "Nothing is heard from the training any more; this is its last.";
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

draw();
if ("live" in document.body.dataset) watch();
