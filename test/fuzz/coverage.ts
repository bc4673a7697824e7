/** Which parts of the code ran, told after each input: modules are given counters as they are loaded. */
import { readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { createInstrumenter } from "istanbul-lib-instrument";

interface FileCounters {
  readonly s: Record<string, number>;
  readonly b: Record<string, number[]>;
}

const VARIABLE = "__turnpikeCoverage__";

/** Gives counters to each module whose URL `isWanted`, of those that are loaded from here on. */
export const countIn = (isWanted: (url: string) => boolean): void => {
  registerHooks({
    load(url, context, next) {
      if (!url.startsWith("file:") || !isWanted(url)) return next(url, context);
      const path = fileURLToPath(url);
      const isTypeScript = path.endsWith(".ts");
      const text = readFileSync(path, "utf8");
      const source = isTypeScript ? stripTypeScriptTypes(text) : text;
      const instrumenter = createInstrumenter({ coverageVariable: VARIABLE, esModules: isTypeScript, compact: false });
      return {
        format: isTypeScript ? "module" : "commonjs",
        source: instrumenter.instrumentSync(source, path),
        shortCircuit: true,
      };
    },
  });
};

const countedFiles = (): Record<string, FileCounters> =>
  ((globalThis as Record<string, unknown>)[VARIABLE] ?? {}) as Record<string, FileCounters>;

/** @throws when nothing is counted in one of `folders`: code that has moved would be fuzzed blindly. */
export const ensureCounted = (folders: readonly string[]): void => {
  const files = Object.keys(countedFiles());
  for (const folder of folders)
    if (!files.some((file) => file.includes(folder))) throw new Error(`nothing is counted in ${folder}`);
};

/** 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, more: that a loop runs once more is not news, that it runs twice as often is. */
const bucketOf = (count: number): number => {
  if (count < 4) return 1 << (count - 1);
  if (count < 8) return 8;
  if (count < 16) return 16;
  if (count < 32) return 32;
  return count < 128 ? 64 : 128;
};

/** The counters of all modules that are loaded by now. */
export class Coverage {
  readonly #at: { readonly of: Record<string, number> | number[]; readonly key: string | number }[] = [];
  /** Of each counter, the buckets that were seen. */
  readonly #seen: Uint8Array;
  reached = 0;

  constructor() {
    for (const { s, b } of Object.values(countedFiles())) {
      for (const key of Object.keys(s)) this.#at.push({ of: s, key });
      for (const of of Object.values(b)) for (const key of of.keys()) this.#at.push({ of, key });
    }
    if (this.#at.length === 0) throw new Error("nothing is counted");
    this.#seen = new Uint8Array(this.#at.length);
  }

  get counters(): number {
    return this.#at.length;
  }

  /** Forgets what ran since it was asked last. */
  reset(): void {
    for (const { of, key } of this.#at) (of as Record<string | number, number>)[key] = 0;
  }

  /** Whether what ran since the last `reset` is new: a part that never ran, or not so often. */
  isNew(): boolean {
    let isNew = false;
    for (let index = 0; index < this.#at.length; index++) {
      const { of, key } = this.#at[index]!;
      const count = (of as Record<string | number, number>)[key] ?? 0;
      if (count === 0) continue;
      const bucket = bucketOf(count);
      const before = this.#seen[index] ?? 0;
      if ((before & bucket) !== 0) continue;
      if (before === 0) this.reached++;
      this.#seen[index] = before | bucket;
      isNew = true;
    }
    return isNew;
  }
}
