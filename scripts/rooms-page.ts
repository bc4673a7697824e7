/** The page of the rooms: their list, and a drawing of which imports which, both taken from the code. */
import { importGraph, roomOf } from "./imports.ts";
import { rooms } from "./rooms.ts";

type Arrows = ReadonlyMap<string, ReadonlySet<string>>;

const arrows = (): Arrows => {
  const found = new Map<string, Set<string>>();
  for (const [file, imported] of importGraph())
    for (const other of imported) {
      const [from, to] = [roomOf(file), roomOf(other)];
      if (from === to || from === "." || to === ".") continue;
      const present = found.get(from);
      if (present === undefined) found.set(from, new Set([to]));
      else present.add(to);
    }
  return found;
};

const reaches = (graph: Arrows, from: string, to: string): boolean =>
  [...(graph.get(from) ?? [])].some((next) => next === to || reaches(graph, next, to));

/** Without the arrows that others imply: a room that imports another may import what that one imports. */
const essential = (graph: Arrows): readonly (readonly [string, string])[] =>
  [...graph].flatMap(([from, all]) =>
    [...all]
      .filter((to) => ![...all].some((via) => via !== to && reaches(graph, via, to)))
      .map((to) => [from, to] as const),
  );

const place = (name: string): number => rooms.findIndex((room) => room.name === name);

export const roomsPage = (): string => {
  const graph = arrows();
  const drawn = essential(graph).toSorted(([a, b], [c, d]) => place(a) - place(c) || place(b) - place(d));
  return `# Rooms

A room is a folder of \`src\`. It may import from itself and from any room above it in this list. The lint refuses other imports,
and circles of imports, even if they import only types. A pure room uses no clock, no randomness and no I/O. What a room offers
to other rooms are the files at its top; the folders inside it are private, except for their \`index.ts\` where they have one.

| room | what it holds | pure |
| --- | --- | --- |
${rooms.map(({ name, what, pure }) => `| [\`${name}\`](../../src/${name}) | ${what} | ${pure === true ? "yes" : ""} |`).join("\n")}

\`src/errors.ts\` and \`src/reasons.ts\` are the tables of error codes and of refusals, \`src/clock.ts\` the two clocks,
\`src/http.ts\` the way to serve HTTP, \`src/retry.ts\` the backoff.

## Which imports which

The imports of today. An arrow points to what is imported. Arrows that others imply are left out: \`cli\` imports \`runtime\`, and
also some of what \`runtime\` imports.

\`\`\`mermaid
flowchart TD
${drawn.map(([from, to]) => `  ${from} --> ${to}`).join("\n")}
\`\`\`
`;
};
