/** Where the pages of the documentation lead: anchors as GitHub makes them, and links between files of the repository. */

/** The anchor of a heading, from its text. */
export const slugOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
    .replaceAll(" ", "-");

/** Numbers those that a page has before. */
export const createSlugs = (): ((heading: string) => string) => {
  const seen = new Map<string, number>();
  return (heading) => {
    const slug = slugOf(heading);
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  };
};

/** As it reads, without its marks. */
export const plainText = (markdown: string): string =>
  markdown
    .replaceAll(/!\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/[`*]/g, "");

/** Anchors of a page, of its headings. */
export const anchorsOf = (markdown: string): ReadonlySet<string> => {
  const slug = createSlugs();
  const text = markdown.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, "");
  return new Set([...text.matchAll(/^#{1,6} +(.+?)\s*$/gm)].map(([, heading = ""]) => slug(plainText(heading))));
};

/** Without what stands in code, which leads nowhere. */
const prose = (markdown: string): string =>
  markdown.replaceAll(/^( *)(```|~~~)[\s\S]*?^\1\2/gm, "").replaceAll(/`[^`\n]*`/g, "");

/** Links to files of the repository, and to headings. */
export const linksOf = (markdown: string): readonly { readonly file: string; readonly anchor: string | undefined }[] =>
  [...prose(markdown).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(([, file = "", anchor]) => ({
    file,
    anchor,
  }));
