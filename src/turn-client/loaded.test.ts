import { createRequire } from "node:module";
import { expect, it } from "vitest";
import { encode } from "./codec.ts";

it("loads the codec of the stun package, and none of its client, server and command line", () => {
  expect(encode).toBeTypeOf("function");
  const { cache } = createRequire(import.meta.url);
  const packages = new Set(
    Object.keys(cache).flatMap((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []),
  );
  expect(packages).toContain("binary-data");
  // `ip` is loaded for the text form of an address; its unsound functions (isPublic, isPrivate) are not called.
  for (const unwanted of ["parse-url", "parse-path", "normalize-url", "query-string", "meow", "debug", "yargs-parser"])
    expect(packages).not.toContain(unwanted);
});
