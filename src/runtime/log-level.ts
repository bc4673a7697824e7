/** STUNner's log level syntax, `all:INFO,turn:DEBUG`, as a level of ours. */

const levels: Readonly<Record<string, string>> = {
  DISABLE: "silent",
  ERROR: "error",
  WARN: "warn",
  INFO: "info",
  DEBUG: "debug",
  TRACE: "trace",
};
const VERBOSITY = ["silent", "error", "warn", "info", "debug", "trace"];

/**
 * Our messages have no scopes, so the most verbose one that is asked for is taken; what cannot be understood is passed
 * over, and with nothing left it is `info`.
 */
export const pinoLevel = (spec: string): string => {
  const asked = spec.split(",").flatMap((item) => levels[item.split(":")[1]?.toUpperCase() ?? ""] ?? []);
  return asked.toSorted((a, b) => VERBOSITY.indexOf(b) - VERBOSITY.indexOf(a))[0] ?? "info";
};
