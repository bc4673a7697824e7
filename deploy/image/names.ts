/** Programs of the image: each is a file of three lines for Node, since there is no shell. */

/** Node flags, as in `bin/turnpike`; a first line has room for one. */
const FIRST_LINE = "#!/usr/bin/node --max-semi-space-size=16";

/** By path: the arguments of `turnpike` that come before those of the caller. */
export const programs: Readonly<Record<string, readonly string[]>> = {
  "/usr/bin/turnpike": [],
  "/usr/bin/kubectl-turnpike": [],
  "/usr/bin/stunnerd": ["dataplane"],
  "/usr/bin/turncat": ["connect"],
  "/usr/bin/stunnerctl": ["stunnerctl"],
  "/usr/bin/authd": ["authd"],
  "/usr/bin/icetester": ["icetester"],
  // What the Deployment of STUNner's operator starts.
  "/manager": ["operator"],
};

/** What stands in the file. */
export const programText = (first: readonly string[]): string =>
  [
    FIRST_LINE,
    `process.argv.splice(2, 0, ...${JSON.stringify(first)});`,
    'void import("/usr/lib/turnpike/dist/cli/main.js");',
    "",
  ].join("\n");
