// Runs in the page. Gives the frames a second while the slider goes through the whole log, once there and once back.
globalThis.scrub = async () => {
  const slider = document.querySelector(".scrubber input");
  const frames = 240;
  const most = Number(slider.max);
  const startedAt = performance.now();
  for (let frame = 0; frame <= frames; frame += 1) {
    const share = 1 - Math.abs(1 - (2 * frame) / frames);
    slider.value = String(Math.round(share * most));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  return (frames * 1000) / (performance.now() - startedAt);
};

// Resolves once gateways are drawn and the timeline has `lines` events.
globalThis.untilShown = async (lines) => {
  while (document.querySelector(".node") === null || Number(document.querySelector(".scrubber input")?.max) < lines - 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
};
