/** An address in a flag's value, with its port or a default one. */
import { formatHostPort, parseHostPort } from "../net/host-port.ts";
import { refuseUsage } from "./output.ts";

/** @returns `HOST:PORT`, as in a URL. @throws TurnpikeError `usage`, which names `flag`. */
export const addressAt = (flag: string, text: string, port: number): string => {
  const address = parseHostPort(text);
  if (address === undefined)
    return refuseUsage(`${flag}: ${JSON.stringify(text)} is not HOST, HOST:PORT or [IPv6]:PORT`);
  return formatHostPort({ port, ...address });
};
