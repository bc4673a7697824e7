/** Flags in Go syntax, for users of the Go programs: `-x` is `--x`, and a boolean may be given as `--x=false`. */
import { InvalidArgumentError } from "commander";
import { isBindablePort, parseHostPort } from "../net/host-port.ts";

/** `-leader-elect` becomes `--leader-elect`; arguments after `--` are unchanged. */
export const withDoubleDashes = (args: readonly string[]): readonly string[] => {
  const end = args.indexOf("--");
  return args.map((arg, index) => (end >= 0 && index >= end ? arg : arg.replace(/^-(?=[a-zA-Z][\w-]+)/, "--")));
};

/** Global flags may precede the subcommand: it is moved to the front. */
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

/** Like Go's `strconv.ParseBool`. */
export const parseBoolean = (text: string): boolean => {
  const value = booleans[text];
  if (value === undefined) throw new InvalidArgumentError("expected true or false");
  return value;
};

export interface BindAddress {
  /** Empty: every address of both families. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** An address, or no server. Not `undefined`: commander would replace it with an empty text. */
export type OptionalBindAddress = BindAddress | "off";

/** `:8081`, `127.0.0.1:8081`, `[::1]:8081`, `localhost:8081`. */
export const parseBindAddress = (text: string): BindAddress => {
  const [, ipv6, host = "", port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  // Port 0 is any free port, which would be unknown to clients: the grammar of addresses does not allow it.
  if (
    port === undefined ||
    !isBindablePort(Number(port)) ||
    (!text.startsWith(":") && parseHostPort(text.replace(/:0+$/, "")) === undefined)
  )
    throw new InvalidArgumentError("expected HOST:PORT or :PORT");
  return { host: ipv6 ?? host, port: Number(port) };
};

/** Like `parseBindAddress`; `0`, or an empty text, disables the server. */
export const parseOptionalBindAddress = (text: string): OptionalBindAddress =>
  text === "0" || text === "" ? "off" : parseBindAddress(text);
