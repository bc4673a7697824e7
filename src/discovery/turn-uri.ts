/** A whole config in a TURN URI, `turn://USER:PASSWORD@HOST:PORT?transport=udp`, for experiments. */
import { TurnpikeError } from "../errors.ts";
import type { DataplaneConfig, ListenerProtocol } from "../resources/dataplane-config.ts";
import { DEFAULT_REALM } from "../resources/names.ts";

const protocols: Readonly<Record<string, ListenerProtocol>> = {
  udp: "TURN-UDP",
  tcp: "TURN-TCP",
  tls: "TURN-TLS",
  dtls: "TURN-DTLS",
};

/** One listener that may reach every IPv4 address which is not special. @throws TurnpikeError `usage`. */
export const configOfUri = (uri: string): DataplaneConfig => {
  const refuse = (why: string): never => {
    throw new TurnpikeError("usage", `${why}: expected turn://USER:PASSWORD@HOST:PORT?transport=udp|tcp|tls|dtls`);
  };
  const [scheme = "", rest = ""] = uri.split("://");
  const url = URL.canParse(`http://${rest}`) ? new URL(`http://${rest}`) : refuse("this is no TURN URI");
  if (scheme !== "turn" && scheme !== "turns") return refuse("this is no TURN URI");
  if (url.username === "" || url.password === "") return refuse("a user name and a password are needed");
  const transport = url.searchParams.get("transport") ?? (scheme === "turns" ? "tls" : "udp");
  // turns: over TCP is TLS, over UDP it is DTLS.
  const secure = { udp: "dtls", tcp: "tls" }[transport] ?? transport;
  const protocol = protocols[(scheme === "turns" ? secure : transport).toLowerCase()];
  if (protocol === undefined) return refuse(`transport ${transport} is not known`);
  return {
    version: "v1",
    admin: { name: "default/stunnerd" },
    auth: {
      type: "static",
      realm: DEFAULT_REALM,
      credentials: { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) },
    },
    listeners: [
      {
        name: "default-listener",
        protocol,
        address: url.hostname.replaceAll(/[[\]]/g, ""),
        port: Number(url.port) || 3478,
        routes: ["allow-any"],
      },
    ],
    clusters: [{ name: "allow-any", type: "STATIC", protocol: "UDP", endpoints: ["0.0.0.0/0"] }],
  };
};
