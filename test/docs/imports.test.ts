/** The check of imports sees what it is there for. */
import { expect, it } from "vitest";
import { circlesOf, importGraph, intrusionsOf, upwardImportsOf, type ImportGraph } from "../../scripts/imports.ts";

const graph = (arrows: Readonly<Record<string, readonly string[]>>): ImportGraph =>
  new Map([...Object.values(arrows).flat(), ...Object.keys(arrows)].map((file) => [file, arrows[file] ?? []]));

it("finds circles of any length, and files that import themselves", () => {
  const files = graph({ "net/a.ts": ["net/b.ts"], "net/b.ts": ["net/c.ts"], "net/c.ts": ["net/a.ts", "net/d.ts"] });
  expect(circlesOf(files)).toEqual([["net/a.ts", "net/b.ts", "net/c.ts"]]);
  expect(circlesOf(graph({ "net/a.ts": ["net/a.ts"] }))).toEqual([["net/a.ts"]]);
  expect(circlesOf(graph({ "net/a.ts": ["net/b.ts", "net/c.ts"], "net/b.ts": ["net/c.ts"] }))).toEqual([]);
});

it("finds imports of rooms that stand below", () => {
  expect(upwardImportsOf(graph({ "net/a.ts": ["core/b.ts"], "core/c.ts": ["net/a.ts", "core/b.ts"] }))).toEqual([
    ["net/a.ts", "core/b.ts"],
  ]);
  expect(upwardImportsOf(graph({ "errors.ts": ["net/a.ts"] }))).toEqual([["errors.ts", "net/a.ts"]]);
});

it("finds imports of what is inside another room, its entry apart", () => {
  const from = "load/a.ts";
  const files = graph({ [from]: ["dataplane/engines/engine.ts", "dataplane/engines/index.ts", "dataplane/flows.ts"] });
  expect(intrusionsOf(files)).toEqual([[from, "dataplane/engines/engine.ts"]]);
});

it("reads imports of values, of types, and those made when they are needed", () => {
  const files = importGraph();
  expect(files.size).toBeGreaterThan(400);
  expect(files.get("runtime/traces/index.ts")?.toSorted()).toEqual(
    ["otlp.ts", "settings.ts", "tracer.ts"].map((name) => `runtime/traces/${name}`),
  );
});
