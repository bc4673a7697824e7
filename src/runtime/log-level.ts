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
 * Our messages have no scopes, so the most verbose level is taken; unknown parts are ignored, and if nothing is left it is
 * `info`.
 */
export const pinoLevel = (spec: string): string => {
  const asked = spec.split(",").flatMap((item) => levels[item.split(":")[1]?.toUpperCase() ?? ""] ?? []);
  return asked.toSorted((a, b) => VERBOSITY.indexOf(b) - VERBOSITY.indexOf(a))[0] ?? "info";
};
