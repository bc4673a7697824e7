/** `HOST`, `HOST:PORT`, `IPv6`, `[IPv6]`, `[IPv6]:PORT`: the format of addresses in flags, environment and chart values. */

export interface HostPort {
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  readonly port?: number;
}

const NAME = /^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\.?$/;
const FORM = /^(?:\[(?<ipv6>[^\]]+)\]|(?<name>[^:[\]]+))(?::(?<port>\d{1,5}))?$/;

/** A dotted number that is not an IPv4 address is rejected, as in the URL parser. */
const isName = (text: string): boolean => NAME.test(text) && URL.canParse(`http://${text}`);

const isIPv6 = (text: string): boolean => /^[0-9a-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]`);

export const isPort = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535;

/** A port to bind: 0 is any free one. */
export const isBindablePort = (value: unknown): value is number => value === 0 || isPort(value);

/** @returns undefined if `text` has none of these forms. */
export const parseHostPort = (text: string): HostPort | undefined => {
  if (isIPv6(text)) return { host: text };
  const { ipv6, name = "", port } = FORM.exec(text)?.groups ?? {};
  if (ipv6 === undefined ? !isName(name) : !isIPv6(ipv6)) return undefined;
  const host = ipv6 ?? name;
  if (port === undefined) return { host };
  return isPort(Number(port)) ? { host, port: Number(port) } : undefined;
};

/** `HOST:PORT` or `[IPv6]:PORT`, as in a URL. */
export const formatHostPort = ({ host, port }: Required<HostPort>): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;
