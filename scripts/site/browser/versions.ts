/** The menu of versions in the header of every page, and a note on pages of earlier versions. */

interface Loaded {
  readonly turnpikeVersions: {
    readonly latest: string;
    readonly versions: readonly { readonly name: string; readonly pages: readonly string[] }[];
  };
}

const script = document.currentScript as HTMLScriptElement;
/** The folder of this version. */
const site = new URL(".", script.src);
const own = site.pathname.split("/").at(-2) ?? "";
const path = decodeURI(location.pathname.slice(site.pathname.length)) || "index.html";

const linkTo = (name: string, pages: readonly string[], text: string): HTMLAnchorElement => {
  const link = document.createElement("a");
  link.href = new URL(`../${name}/${pages.includes(path) ? encodeURI(path) : "index.html"}`, site).href;
  link.append(text);
  return link;
};

const show = ({ latest, versions }: Loaded["turnpikeVersions"]): void => {
  const label = document.getElementById("page-version") as HTMLElement;
  const menu = document.createElement("details");
  menu.id = "page-version";
  const summary = document.createElement("summary");
  summary.append(`Version ${label.textContent}`);
  const list = document.createElement("ul");
  for (const { name, pages } of versions) {
    const item = document.createElement("li");
    const link = linkTo(name, pages, name === latest ? `${name} (latest)` : name);
    if (name === own) link.setAttribute("aria-current", "true");
    item.append(link);
    list.append(item);
  }
  menu.append(summary, list);
  label.replaceWith(menu);
  document.addEventListener("click", ({ target }) => {
    if (!(target instanceof Node && menu.contains(target))) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    summary.focus();
  });
  const newest = versions.find(({ name }) => name === latest);
  if (own === latest || newest === undefined) return;
  const note = document.createElement("p");
  note.className = "note";
  note.append(`This page is about Turnpike ${own}. `, linkTo(latest, newest.pages, `The latest version is ${latest}.`));
  document.querySelector("main")?.prepend(note);
};

const versions = document.createElement("script");
versions.src = new URL("../versions.js", site).href;
versions.addEventListener("load", () => show((globalThis as unknown as Loaded).turnpikeVersions));
document.head.append(versions);
