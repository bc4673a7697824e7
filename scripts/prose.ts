/**
 * `npm run prose`: finds words and turns of phrase that docs/style.md advises against, in documentation, comments, messages and
 * test names. Prints `FILE:LINE: "what was found": what to write instead`, and exits 1 if there is any.
 *
 *     npm run prose [-- DIR]
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";

interface Pattern {
  readonly pattern: RegExp;
  /** What to write instead. */
  readonly instead: string;
}

const patterns: readonly Pattern[] = [
  { pattern: /\bany more\b/i, instead: '"no longer"' },
  { pattern: /\b(?:is|are|was|were|lists?|reads?|takes?|has|have|hears?) (?:\w+ )?no more\b/i, instead: '"no longer"' },
  { pattern: /\bgone since\b/i, instead: '"removed … ago"' },
  { pattern: /\bin force\b/i, instead: '"active"' },
  { pattern: /\bthat (?:is|are) none\b|\b(?:is|are) none of\b/i, instead: '"is not a …"' },
  { pattern: /\bone's own\b/i, instead: '"your own", or the name of who it is' },
  { pattern: /\b(?:bring|brings|brought) (?:\w+ )?about\b/i, instead: '"apply"' },
  { pattern: /\bheard of\b|\bhears? of\b/i, instead: '"receives", "is notified of"' },
  {
    pattern: /\b(?:is|are|was|were|be|been|being) told\b/i,
    instead: 'an active verb: "shows", "receives", "is advertised"',
  },
  { pattern: /\bput right\b/i, instead: '"corrected"' },
  { pattern: /\bdrawn from\b/i, instead: '"generated from"' },
  { pattern: /\bstrangers?\b/i, instead: '"unauthenticated source", "unknown peer"' },
  { pattern: /\bwhat there is\b|\bthat there (?:is|are)\b/i, instead: '"existing", "current"' },
  { pattern: /\bas if (?:it|they) (?:was|were) not there\b/i, instead: '"invisible to", "ignored"' },
  { pattern: /\bby why\b/i, instead: '"by reason"' },
  { pattern: /\bwished for\b|\bwhat is wished\b/i, instead: '"desired"' },
  { pattern: /\bbears? (?:a|an|the|it|them|no)\b/i, instead: '"has", "contains"' },
  { pattern: /\b(?:lie|lies|lay) (?:in another|at another)\b/i, instead: '"is in"' },
  { pattern: /\bsomebody else's\b/i, instead: '"owned by …", "of another …"' },
  { pattern: /\bof its own accord\b|\bof themselves\b/i, instead: '"unexpectedly", "automatically"' },
  { pattern: /\bwithout a word\b/i, instead: '"silently"' },
  { pattern: /\bsaid its last\b|\bsays its last\b/i, instead: '"ended its output"' },
  { pattern: /\bthe way goes on\b|\bno way through\b/i, instead: '"passed", "no connection"' },
  { pattern: /\bmeant to go\b/i, instead: '"removed on purpose"' },
  { pattern: /\bas (?:many|much|long|few) as (?:it|they|there) may\b/i, instead: '"the limit of …"' },
  { pattern: /\b(?:is|are|was|were|be) had\b/i, instead: '"is available"' },
  { pattern: /\bthereby\b/i, instead: '"so", "as a result"' },
  { pattern: /\blest\b/i, instead: '"so that … not"' },
  { pattern: /\bcounts in (?:its|their) place\b/i, instead: '"replaces"' },
  { pattern: /\b(?:which|that) (?:he|she|it|they) (?:has|have) not\b(?! \w+(?:ed|en)\b)/i, instead: '"does not have"' },
  { pattern: /\bnobody (?:may|can) know\b/i, instead: '"unknown"' },
  { pattern: /\bto whom\b|\bof whom\b/i, instead: "a relative clause in the active voice" },
];

/** Files in which these words are quoted, or are other people's. */
const exempt =
  /^(?:scripts\/prose|test\/docs\/prose|docs\/style\.md|LICENSE|package-lock\.json|test\/(?:conformance|replay|render)\/.*\.(?:json|jsonl|yaml))/;
const readable = /\.(?:md|ts|js|c|h|sh|yaml|yml|tpl|txt|html|css)$/;

/** In `text`, each as a line number and what to say of it. */
export const findingsIn = (
  text: string,
): readonly { readonly line: number; readonly found: string; readonly instead: string }[] =>
  text.split("\n").flatMap((line, index) =>
    patterns.flatMap(({ pattern, instead }) => {
      const found = pattern.exec(line)?.[0];
      return found === undefined ? [] : [{ line: index + 1, found, instead }];
    }),
  );

const main = (folder: string): number => {
  const { stdout } = spawnSync("git", ["-C", folder, "ls-files"], { encoding: "utf8", maxBuffer: 1 << 26 });
  const files = stdout.split("\n").filter((file) => readable.test(file) && !exempt.test(file));
  let count = 0;
  for (const file of files)
    for (const { line, found, instead } of findingsIn(readFileSync(join(folder, file), "utf8"))) {
      process.stdout.write(`${file}:${line}: "${found}": write ${instead}\n`);
      count += 1;
    }
  process.stdout.write(`${files.length} files, ${count} findings\n`);
  return count === 0 ? 0 : 1;
};

if (import.meta.main) process.exitCode = main(process.argv[2] ?? ".");
