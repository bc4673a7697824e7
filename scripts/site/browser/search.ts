/**
 * The search box of every page. It loads the index when it is first used, as scripts, which also works for pages from files.
 * Keys: `/` focuses it, the arrows choose a result, Enter opens it, Escape closes the list.
 */

interface Found {
  readonly title: string;
  readonly heading: string;
  readonly text: string;
  readonly url: string;
  /** The words of the section that match. */
  readonly terms: readonly string[];
}

interface Index {
  search(query: string, options: object): readonly Found[];
}

interface Loaded {
  readonly MiniSearch: { loadJS(index: object, options: object): Index };
  readonly turnpikeSearch: { readonly index: object; readonly options: object };
}

const RESULTS = 8;
const RESULTS_PER_PAGE = 2;
const EXCERPT_LENGTH = 170;

const HOW = {
  boost: { title: 2, heading: 4 },
  prefix: (term: string): boolean => term.length > 2,
  fuzzy: (term: string): number => (term.length > 3 ? 0.25 : 0),
  weights: { fuzzy: 0.2, prefix: 0.5 },
  boostDocument: (_id: unknown, _term: string, stored: { readonly weight: number }): number => stored.weight,
};

/** Words that say nothing about the subject, if a query has others. */
const COMMON = new Set(
  "a an and are as at be by can do does for from how i in is it my of on or that the to what with".split(" "),
);

const script = document.currentScript as HTMLScriptElement;
const find = (id: string): HTMLElement => document.getElementById(id) as HTMLElement;
const box = find("search") as HTMLInputElement;
const list = find("search-results");
const status = find("search-status");

/** Loads a script of the site. */
const load = (name: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = new URL(name, script.src).href;
    element.addEventListener("load", () => resolve());
    element.addEventListener("error", () => reject(new Error(`${name} does not load`)));
    document.head.append(element);
  });

let loading: Promise<Index> | undefined;
const loaded = (): Promise<Index> =>
  (loading ??= Promise.all([load("minisearch.js"), load("search-index.js")]).then(() => {
    const { MiniSearch, turnpikeSearch } = globalThis as unknown as Loaded;
    return MiniSearch.loadJS(turnpikeSearch.index, turnpikeSearch.options);
  }));

const results = (index: Index, query: string): readonly Found[] => {
  const words = query.trim().split(/\s+/);
  const telling = words.filter((word) => !COMMON.has(word.toLowerCase()));
  const perPage = new Map<string, number>();
  return index
    .search((telling.length === 0 ? words : telling).join(" "), HOW)
    .filter(({ url }) => {
      const [page = ""] = url.split("#");
      const count = (perPage.get(page) ?? 0) + 1;
      perPage.set(page, count);
      return count <= RESULTS_PER_PAGE;
    })
    .slice(0, RESULTS);
};

/** `text` with the words that match marked. */
const marked = (text: string, terms: readonly string[]): readonly (string | HTMLElement)[] => {
  if (terms.length === 0) return [text];
  // Of other characters, an escape would be a syntax error.
  const words = terms.map((term) => term.replaceAll(/[\^$\\.*+?()[\]{}|/]/gu, String.raw`\$&`)).join("|");
  return text.split(new RegExp(`(?<![\\p{L}\\p{N}])(${words})(?![\\p{L}\\p{N}])`, "giu")).map((part, place) => {
    if (place % 2 === 0) return part;
    const mark = document.createElement("mark");
    mark.append(part);
    return mark;
  });
};

/** What is around the first word that matches. */
const excerpt = ({ text, terms }: Found): string => {
  const lower = text.toLowerCase();
  const places = terms.map((term) => lower.indexOf(term)).filter((place) => place >= 0);
  const first = places.length === 0 ? 0 : Math.min(...places);
  const start = first < EXCERPT_LENGTH / 2 ? 0 : text.indexOf(" ", first - EXCERPT_LENGTH / 3) + 1;
  const end = start + EXCERPT_LENGTH < text.length ? text.lastIndexOf(" ", start + EXCERPT_LENGTH) : text.length;
  return `${start > 0 ? "… " : ""}${text.slice(start, end)}${end < text.length ? " …" : ""}`;
};

const element = (tag: string, className: string, content: readonly (string | Node)[]): HTMLElement => {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content);
  return made;
};

const option = (found: Found, place: number): HTMLElement => {
  const link = document.createElement("a");
  link.id = `search-result-${place}`;
  link.href = new URL(found.url, script.src).href;
  link.tabIndex = -1;
  link.setAttribute("role", "option");
  link.setAttribute("aria-selected", "false");
  const name = found.heading === found.title ? found.title : `${found.title} › ${found.heading}`;
  link.append(
    element("span", "name", marked(name, found.terms)),
    element("span", "excerpt", marked(excerpt(found), found.terms)),
  );
  return link;
};

const options = (): readonly HTMLElement[] => [...list.querySelectorAll<HTMLElement>("[role=option]")];
const chosen = (): number => options().findIndex((one) => one.getAttribute("aria-selected") === "true");

const choose = (place: number): void => {
  options().forEach((one, index) => {
    one.setAttribute("aria-selected", String(index === place));
    if (index !== place) return;
    box.setAttribute("aria-activedescendant", one.id);
    one.scrollIntoView({ block: "nearest" });
  });
};

const show = (open: boolean): void => {
  list.hidden = !open;
  box.setAttribute("aria-expanded", String(open));
  if (open) return;
  box.removeAttribute("aria-activedescendant");
  status.textContent = "";
};

const update = async (): Promise<void> => {
  const query = box.value;
  if (query.trim() === "") {
    show(false);
    return;
  }
  try {
    const found = results(await loaded(), query);
    if (box.value !== query) return;
    box.removeAttribute("aria-activedescendant");
    list.replaceChildren(...found.map(option));
    show(found.length > 0);
    status.textContent =
      found.length === 0 ? "no results" : `${found.length} ${found.length === 1 ? "result" : "results"}`;
  } catch (error) {
    show(false);
    status.textContent = `search failed: ${error instanceof Error ? error.message : String(error)}`;
  }
};

box.addEventListener("focus", () => void update());
box.addEventListener("input", () => void update());
box.addEventListener("keydown", (event) => {
  const count = options().length;
  if (event.key === "Escape") {
    if (list.hidden) box.blur();
    show(false);
  } else if (list.hidden || count === 0) return;
  else if (event.key === "ArrowDown") choose((chosen() + 1) % count);
  else if (event.key === "ArrowUp") choose((Math.max(chosen(), 0) + count - 1) % count);
  else if (event.key === "Enter") options()[Math.max(chosen(), 0)]?.click();
  else return;
  event.preventDefault();
});
// A result that is clicked takes the focus before the click.
box.addEventListener("blur", (event) => {
  if (!(event.relatedTarget instanceof Node && list.contains(event.relatedTarget))) show(false);
});
list.addEventListener("click", () => show(false));
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof Element && event.target.closest("input, select, textarea, [contenteditable]")) return;
  event.preventDefault();
  box.focus();
  box.select();
});
find("search-box").hidden = false;
