/** An HTTP server whose address comes from a config: it moves when the config changes. */
import { serveHttp, type HttpEndpoint, type Handler } from "../http.ts";
import { backoffMs, type Backoff } from "../retry.ts";
import { messageOf } from "../errors.ts";
import { isBindablePort } from "../net/host-port.ts";

export interface Following {
  /**
   * Serves at `url`, `http://HOST:PORT/PATH`; at an empty one nowhere. Without a host it is every address, without a port
   * `defaultPort`. Resolves after the first attempt to bind it. An address that is in use, or that the host does not have,
   * is reported once and retried until it can be bound, or until another one is set.
   */
  at(url: string): Promise<void>;
  close(): Promise<void>;
}

/** An address in the notation of configs; `http://:8086` is not a standard URL. Undefined: it is malformed. */
export const parseEndpointUrl = (
  url: string,
  defaultPort: number,
): { readonly host: string | undefined; readonly port: number; readonly path: string } | undefined => {
  const match = /^(?:https?:\/\/)?(?:\[([^\]]+)\]|([^:/]*))(?::(\d{1,5}))?(\/.*)?$/.exec(url);
  if (match === null) return undefined;
  const [, v6, host, port, path = ""] = match;
  const number = port === undefined ? defaultPort : Number(port);
  if (!isBindablePort(number)) return undefined;
  return { host: v6 ?? (host === "" ? undefined : host), port: number, path: path === "/" ? "" : path };
};

const BACKOFF: Backoff = { firstMs: 250, longestMs: 5000 };

/** `listener` is called with the path of the URL: what it serves, and where. */
export const followEndpoint = (
  defaultPort: number,
  listener: (path: string) => Handler,
  onFailure: (reason: string) => void,
  backoff = BACKOFF,
): Following => {
  let url: string | undefined;
  let open: HttpEndpoint | undefined;
  let retry: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();

  const bind = async (wanted: string, failures: number): Promise<void> => {
    const address = parseEndpointUrl(wanted, defaultPort);
    if (address === undefined) return onFailure(`${wanted}: it is not an address`);
    try {
      open = await serveHttp(address.host, address.port, listener(address.path));
    } catch (error) {
      if (failures === 0) onFailure(`${wanted}: ${messageOf(error)}`);
      retry = setTimeout(() => (turn = turn.then(() => again(wanted, failures + 1))), backoffMs(backoff, failures + 1));
    }
  };
  const again = async (wanted: string, failures: number): Promise<void> => {
    if (wanted === url) await bind(wanted, failures);
  };
  const leave = async (): Promise<void> => {
    clearTimeout(retry);
    url = undefined;
    await open?.close();
    open = undefined;
  };
  const move = async (wanted: string): Promise<void> => {
    if (wanted === url) return;
    await leave();
    url = wanted;
    if (wanted !== "") await bind(wanted, 0);
  };

  return {
    at(wanted) {
      turn = turn.then(() => move(wanted));
      return turn;
    },
    async close() {
      turn = turn.then(leave);
      await turn;
    },
  };
};
