/** An HTTP server whose address a config names: it moves when the config says so. */
import { serveHttp, type Endpoint, type Handler } from "../http.ts";

export interface Following {
  /**
   * Serves at `url`, `http://HOST:PORT/PATH`; at an empty one nowhere. Without a host it is every address, without a port
   * `defaultPort`. Resolves when it does; an address that cannot be bound is reported, and tried again on the wanted call.
   */
  at(url: string): Promise<void>;
  close(): Promise<void>;
}

/** An address as configs write it; `http://:8086` is no URL that the standard knows. Undefined: it cannot be understood. */
export const parseEndpointUrl = (
  url: string,
  defaultPort: number,
): { readonly host: string | undefined; readonly port: number; readonly path: string } | undefined => {
  const match = /^(?:https?:\/\/)?(?:\[([^\]]+)\]|([^:/]*))(?::(\d{1,5}))?(\/.*)?$/.exec(url);
  if (match === null) return undefined;
  const [, v6, host, port, path = ""] = match;
  const number = port === undefined ? defaultPort : Number(port);
  if (number > 65_535) return undefined;
  return { host: v6 ?? (host === "" ? undefined : host), port: number, path: path === "/" ? "" : path };
};

/** `listener` is asked with the path of the URL: what it serves, and where. */
export const followEndpoint = (
  defaultPort: number,
  listener: (path: string) => Handler,
  onFailure: (reason: string) => void,
): Following => {
  let url: string | undefined;
  let open: Endpoint | undefined;
  let turn: Promise<void> = Promise.resolve();

  const move = async (wanted: string): Promise<void> => {
    if (wanted === url) return;
    await open?.close();
    open = undefined;
    url = undefined;
    if (wanted === "") {
      url = wanted;
      return;
    }
    const address = parseEndpointUrl(wanted, defaultPort);
    try {
      if (address === undefined) throw new Error("it is no address");
      open = await serveHttp(address.host, address.port, listener(address.path));
      url = wanted;
    } catch (error) {
      onFailure(`${wanted}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  return {
    at(wanted) {
      turn = turn.then(() => move(wanted));
      return turn;
    },
    async close() {
      await turn;
      await open?.close();
    },
  };
};
