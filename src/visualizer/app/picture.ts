/** The current drawing as a standalone SVG, with the colours that it has on the page. */

const PROPERTIES = [
  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "font-family",
  "font-size",
  "font-weight",
  "opacity",
] as const;

const inline = (from: Element, to: Element): void => {
  const style = getComputedStyle(from);
  for (const property of PROPERTIES) to.setAttribute(property, style.getPropertyValue(property));
  for (const name of ["class", "tabindex", "role", "data-node"]) to.removeAttribute(name);
  const children = [...from.children];
  for (const [at, child] of [...to.children].entries()) {
    const original = children[at];
    if (original !== undefined) inline(original, child);
  }
};

/** Undefined if nothing is drawn. */
export const pictureOf = (id: "topology" | "chart"): string | undefined => {
  const drawn = document.getElementById(id);
  if (drawn === null) return undefined;
  const copy = drawn.cloneNode(true) as Element;
  inline(drawn, copy);
  copy.removeAttribute("style");
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width: "100%", height: "100%" })) paper.setAttribute(name, value);
  paper.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
  copy.prepend(paper);
  return new XMLSerializer().serializeToString(copy);
};
