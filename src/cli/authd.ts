/** `turnpike authd`: STUNner's authentication service, from the configs of a discovery server. */
import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { pino } from "pino";
import { startAuthService } from "../credentials/auth-service.ts";
import { createOidc } from "../credentials/oidc.ts";
import { watchConfigs, type ConfigEvent } from "../discovery/client.ts";
import { messageOf, TurnpikeError } from "../errors.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { pinoLevel } from "../runtime/log-level.ts";
import { addDiscoveryOptions, reachDiscovery, type DiscoveryFlags } from "./discovery-options.ts";
import { onStopSignal } from "./signals.ts";
import { isBindablePort } from "../net/host-port.ts";

export const AUTH_PORT = 8088;

interface AuthdFlags extends DiscoveryFlags {
  readonly port: number;
  readonly host: string;
  readonly rateLimit: number;
  readonly tokenFile?: string;
  readonly oidcIssuer?: string;
  readonly oidcAudience?: string;
  readonly oidcUserClaim: string;
  readonly log: string;
  readonly verbose?: boolean;
}

const parsePort = (text: string): number => {
  if (!/^\d{1,5}$/.test(text) || !isBindablePort(Number(text))) throw new InvalidArgumentError("expected a port");
  return Number(text);
};

const parseRate = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("expected requests a second, or 0");
  return Number(text);
};

/** @throws TurnpikeError `usage` if the file is empty: an empty token would protect nothing. */
const readToken = (file: string | undefined): string | undefined => {
  if (file === undefined) return undefined;
  const token = readFileSync(file, "utf8").trim();
  if (token === "") throw new TurnpikeError("usage", `--token-file: ${file} is empty`);
  return token;
};

/** @throws TurnpikeError `usage`. */
const identityOf = ({ oidcIssuer, oidcAudience, oidcUserClaim, tokenFile }: AuthdFlags) => {
  if (oidcIssuer === undefined && oidcAudience === undefined) return undefined;
  if (oidcIssuer === undefined || oidcAudience === undefined)
    throw new TurnpikeError("usage", "--oidc-issuer and --oidc-audience go together");
  if (tokenFile !== undefined) throw new TurnpikeError("usage", "--token-file and --oidc-issuer exclude each other");
  if (!/^https?:\/\//.test(oidcIssuer) || !URL.canParse(oidcIssuer))
    throw new TurnpikeError("usage", `--oidc-issuer ${oidcIssuer}: expected a URL`);
  return createOidc({ issuer: oidcIssuer, audience: oidcAudience, claim: oidcUserClaim });
};

const run = async (flags: AuthdFlags): Promise<void> => {
  const level = pinoLevel(flags.verbose === true ? "all:DEBUG" : flags.log);
  const log = pino({ name: "turnpike-authd", level }, pino.destination({ fd: 1, sync: true }));
  const token = readToken(flags.tokenFile);
  const identify = identityOf(flags);
  const { target, close } = await reachDiscovery(flags);
  const configs = new Map<string, DataplaneConfig>();
  const take = (event: ConfigEvent): void => {
    switch (event.event) {
      case "config":
        configs.set(event.config.admin.name, event.config);
        return log.info({ gateway: event.config.admin.name, gateways: configs.size }, "config taken");
      case "deleted":
        configs.delete(event.id);
        return log.info({ gateway: event.id, gateways: configs.size }, "gateway gone");
      case "lost":
      case "refused":
        return log.warn({ reason: event.reason }, `config discovery: ${event.event}`);
      case "restored":
        return log.info("config discovery: restored");
      default:
        return event satisfies never;
    }
  };
  const service = await startAuthService({
    host: flags.host,
    port: flags.port,
    configs: () => [...configs.values()],
    publicAddress: process.env["STUNNER_PUBLIC_ADDR"],
    token,
    identify,
    requestsPerSecond: flags.rateLimit === 0 ? undefined : flags.rateLimit,
    report: (asked) => log.debug(asked, "answered"),
  }).catch((error: unknown) => {
    throw new TurnpikeError("bind-failed", messageOf(error));
  });
  const subscription = watchConfigs(target).subscribe(take);
  log.info({ host: flags.host, port: service.port }, "authentication service started");
  onStopSignal((signal) => {
    log.info({ signal }, "stopping");
    subscription.unsubscribe();
    close();
    void service.close().then(() => process.exit(0));
  });
};

export const authdCommand = (): Command =>
  addDiscoveryOptions(new Command("authd"))
    .description("hand out credentials over HTTP to those who run clients; STUNner's authentication service")
    .option("-p, --port <port>", "where to listen", parsePort, AUTH_PORT)
    .option("--host <address>", "and on which address (default: all of both families)", "")
    .option("--rate-limit <n>", "requests a second of one client; 0: as many as come", parseRate, 100)
    .addOption(new Option("--token-file <file>", "bearer token that requests have to present (default: none)"))
    .option("--oidc-issuer <url>", "requests have to present a bearer token (JWT) of this identity provider")
    .option("--oidc-audience <name>", "audience that the token must be for")
    .option("--oidc-user-claim <claim>", "claim of the token that is the user-id of the credentials", "sub")
    .option("-l, --log <spec>", "SCOPE:LEVEL,…", "all:INFO")
    .option("-v, --verbose", "the same as --log all:DEBUG")
    .action(run);
