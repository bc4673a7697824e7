/** Flags as Go programs take them, for those who replace one: `-x` is `--x`, and a boolean may be given as `--x=false`. */
import { InvalidArgumentError } from "commander";
import { parseHostPort } from "../resources/host-port.ts";

/** `-leader-elect` becomes `--leader-elect`; what follows `--` is left alone. */
export const withDoubleDashes = (args: readonly string[]): readonly string[] => {
  const end = args.indexOf("--");
  return args.map((arg, index) => (end >= 0 && index >= end ? arg : arg.replace(/^-(?=[a-zA-Z][\w-]+)/, "--")));
};

/** Flags that all subcommands have may stand before the subcommand: it is moved to the front. */
export const commandFirst = (args: readonly string[], names: readonly string[]): readonly string[] => {
  const at = args.findIndex((arg) => names.includes(arg));
  return at <= 0 ? args : [args[at] ?? "", ...args.slice(0, at), ...args.slice(at + 1)];
};

const booleans: Readonly<Record<string, boolean>> = {
  "1": true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  "0": false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

/** As Go's `strconv.ParseBool`. */
export const parseBoolean = (text: string): boolean => {
  const value = booleans[text];
  if (value === undefined) throw new InvalidArgumentError("expected true or false");
  return value;
};

/** `:8081`, `127.0.0.1:8081`, `[::1]:8081`; `0` turns it off. */
export const parseBindAddress = (text: string): { readonly host: string; readonly port: number } | undefined => {
  if (text === "0" || text === "") return undefined;
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const isBindable = match !== null && Number(match[3]) <= 65_535;
  if (!isBindable || (!text.startsWith(":") && parseHostPort(text.replace(/:0+$/, "")) === undefined))
    throw new InvalidArgumentError("expected HOST:PORT or :PORT");
  return {
    host: match[1] ?? (match[2] === "" || match[2] === undefined ? "0.0.0.0" : match[2]),
    port: Number(match[3]),
  };
};
