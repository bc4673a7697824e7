/**
 * Looks at imports, those of types included, which the linter does not see:
 *
 * - circles: files that only make sense together are one file, or lack a third that both import;
 * - upward imports: a room imports from rooms above it in the list of rooms, never from one below;
 * - reaching in: of a folder inside a room, others import its `index.ts` and nothing else.
 *
 * @example node scripts/imports.ts           # exits with 1 when it finds one
 * @example node scripts/imports.ts --count   # prints how many imports each room has, and the longest files
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { rooms } from "./rooms.ts";

/** Statements that import, as the formatter writes them, and `import(…)` of values and of types. */
const IMPORT = /^(?:import|export)\b[^"';]*?"([^"]+)";|\bimport\("([^"]+)"\)/gm;

const SOURCE = fileURLToPath(new URL("../src", import.meta.url));

export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** What the file at `path` imports, as its statements say it. */
export const importsOf = (path: string): readonly string[] =>
  Array.from(readFileSync(path, "utf8").matchAll(IMPORT), ([, fixed, called]) => fixed ?? called ?? "");

const isSource = (path: string): boolean => path.endsWith(".ts") && !/\.(test|d)\.ts$/.test(path);

/** Which files below `root` each of them imports, as paths relative to it. */
export const importGraph = (root: string = SOURCE): ImportGraph => {
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(isSource);
  const known = new Set(files);
  return new Map(
    files.map((file) => {
      const imported = importsOf(join(root, file))
        .filter((specifier) => specifier.startsWith("."))
        .map((specifier) => relative(root, join(root, dirname(file), specifier)));
      return [file, [...new Set(imported)].filter((path) => known.has(path))];
    }),
  );
};

/** Groups of files that reach each other by imports (Tarjan's strongly connected components of more than one file). */
export const circlesOf = (graph: ImportGraph): readonly (readonly string[])[] => {
  const circles: string[][] = [];
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const visit = (file: string): number => {
    const place = index.size;
    let lowest = place;
    index.set(file, place);
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!index.has(next)) lowest = Math.min(lowest, visit(next));
      else if (stack.includes(next)) lowest = Math.min(lowest, index.get(next) ?? place);
    }
    low.set(file, lowest);
    if (lowest === place) {
      const group = stack.splice(stack.indexOf(file));
      if (group.length > 1 || graph.get(file)?.includes(file) === true) circles.push(group.toSorted());
    }
    return lowest;
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return circles;
};

/** Imports of a file of a room that stands below, or of a folder that is no room. */
export const upwardImportsOf = (graph: ImportGraph): readonly (readonly [from: string, to: string])[] => {
  const place = new Map(rooms.map(({ name }, index) => [name, index]));
  return [...graph].flatMap(([file, imported]) =>
    imported
      .filter(
        (other) => roomOf(other) !== "." && (place.get(roomOf(other)) ?? Infinity) > (place.get(roomOf(file)) ?? -1),
      )
      .map((other) => [file, other] as const),
  );
};

/** Imports of a file in a folder of another room, other than its entry. */
export const intrusionsOf = (graph: ImportGraph): readonly (readonly [from: string, into: string])[] =>
  [...graph].flatMap(([file, imported]) =>
    imported
      .filter((other) => roomOf(other) !== roomOf(file) && /\/.*\//.test(other) && !other.endsWith("/index.ts"))
      .map((other) => [file, other] as const),
  );

/** The room of a file; `.` for those beside the rooms. */
export const roomOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/")) : ".");

const printCounts = (graph: ImportGraph): void => {
  const within = new Map<string, number>();
  for (const [file, imported] of graph)
    for (const other of imported)
      if (roomOf(file) === roomOf(other)) within.set(roomOf(file), (within.get(roomOf(file)) ?? 0) + 1);
  for (const [room, count] of within) console.log(`${room}: ${count} imports within`);
  const lines = [...graph.keys()]
    .map((file) => ({ file, count: readFileSync(join(SOURCE, file), "utf8").split("\n").length - 1 }))
    .toSorted((a, b) => b.count - a.count);
  for (const { file, count } of lines.slice(0, 8)) console.log(`${file}: ${count} lines`);
  console.log(`median: ${lines[lines.length >> 1]?.count ?? 0} lines of ${lines.length} files`);
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const graph = importGraph();
  if (process.argv.includes("--count")) printCounts(graph);
  const circles = circlesOf(graph);
  for (const circle of circles) console.error(`circle of imports, types included: ${circle.join(", ")}`);
  const upward = upwardImportsOf(graph);
  for (const [file, other] of upward) console.error(`${file} imports upward: ${other} (see scripts/rooms.ts)`);
  const intrusions = intrusionsOf(graph);
  for (const [file, other] of intrusions) console.error(`${file} reaches into a folder of another room: ${other}`);
  process.exitCode = circles.length + upward.length + intrusions.length === 0 ? 0 : 1;
}
