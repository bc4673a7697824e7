import { defineConfig } from "oxlint";
import { rooms } from "./scripts/rooms.ts";

/** The one room that pure rooms may read, and of it only the vocabulary. */
const factsOnly = ["**/journal/**", "!**/journal/fact.ts"];

/** What stands beside the rooms and is not pure. */
const impure = ["**/clock.ts", "**/http.ts", "**/retry.ts"];

/** `scripts/imports.ts` checks that a room imports only from rooms above it, and that imports have no cycles. */
const purity = rooms
  .filter(({ pure }) => pure)
  .map(({ name, packages = [] }) => ({
    files: [`src/${name}/**/*.ts`],
    excludeFiles: ["**/*.test.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              group: ["*", "!./**", "!../**", ...packages.map((name) => `!${name}`), ...impure],
              message: `${name}/ is pure: no clock, no randomness, no I/O.`,
            },
            { group: factsOnly, message: `${name}/ may know facts, not the journal.` },
          ],
        },
      ],
      "no-restricted-globals": [
        "error",
        "process",
        "setTimeout",
        "setInterval",
        "setImmediate",
        "fetch",
        "crypto",
        "performance",
        "Date",
      ],
    },
  }));

export default defineConfig({
  plugins: ["typescript", "import", "unicorn", "oxc", "promise", "vitest"],
  categories: { correctness: "error", suspicious: "error" },
  options: { typeAware: true },
  ignorePatterns: ["node_modules", "test/**/fixtures/**"],
  rules: {
    "import/no-default-export": "error",
    "import/no-cycle": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-non-null-assertion": "error",
    "typescript/no-floating-promises": "error",
    "typescript/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    "typescript/no-unsafe-type-assertion": "off",
    // Our interfaces are records of functions; none of them uses `this`.
    "typescript/unbound-method": "off",
    "promise/always-return": "off",
    "unicorn/consistent-function-scoping": "off",
    "import/no-unassigned-import": "off",
    "no-shadow": "off",
    "no-await-in-loop": "off",
    "no-underscore-dangle": "off",
  },
  overrides: [
    ...purity,
    // What waits, expires or tries again must not follow a wall clock that steps.
    {
      files: ["dataplane", "discovery", "effects", "kubernetes", "watchers", "admin", "runtime"].map(
        (room) => `src/${room}/**/*.ts`,
      ),
      excludeFiles: ["**/*.test.ts"],
      rules: {
        "no-restricted-properties": [
          "error",
          {
            object: "Date",
            property: "now",
            message: "Durations by monotonicMs, what the outside world dates by wallMs: src/clock.ts.",
          },
        ],
      },
    },
    // It runs in browsers.
    {
      files: ["src/visualizer/app/*.ts"],
      excludeFiles: ["**/*.test.ts"],
      rules: {
        "no-restricted-imports": [
          "error",
          {
            patterns: [
              {
                group: ["node:*", "rxjs", "pino", "xstate", "ws", "koffi", "undici", "stun"],
                message: "A browser has none of these.",
              },
              {
                group: ["../../admin/**", "../../runtime/**", "../../cli/**", "../../effects/**", "../../watchers/**"],
                message: "The page is made of the rooms that are pure, the relay's rules and explain.",
              },
            ],
          },
        ],
      },
    },
    // A second is no time on a busy machine.
    {
      files: ["**/*.test.ts", "test/**/*.ts"],
      excludeFiles: ["test/support/eventually.ts"],
      rules: {
        "no-restricted-properties": [
          "error",
          { object: "vi", property: "waitFor", message: "Its patience is a second: eventually() of test/support." },
          { object: "vi", property: "waitUntil", message: "Its patience is a second: eventually() of test/support." },
        ],
      },
    },
    // Runs in a browser page, as a plain script.
    { files: ["test/**/*.page.js"], rules: { "unicorn/prefer-add-event-listener": "off" } },
    { files: ["**/*.config.ts"], rules: { "import/no-default-export": "off" } },
    {
      files: ["**/*.test.ts", "test/**/*.ts"],
      rules: {
        "typescript/no-non-null-assertion": "off",
        "import/no-named-as-default-member": "off",
        // given(…).when(…).then(…)
        "unicorn/no-thenable": "off",
        "promise/valid-params": "off",
        "typescript/require-array-sort-compare": "off",
        "vitest/no-conditional-expect": "off",
        "vitest/no-standalone-expect": "off",
        "vitest/valid-title": "off",
        "vitest/valid-expect": ["error", { maxArgs: 2 }],
        "vitest/expect-expect": [
          "error",
          {
            assertFunctionNames: [
              "expect",
              "expectReplay",
              "expectEcho",
              "fc.assert",
              "given",
              "given.**",
              "**.then",
              "after",
              "noneLost",
              "**.endsWhole",
              "onPage",
            ],
          },
        ],
      },
    },
  ],
});
