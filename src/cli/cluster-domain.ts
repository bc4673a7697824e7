/** `--cluster-domain`: the DNS domain of the cluster, with which the names of its Services end. */
import { InvalidArgumentError, Option } from "commander";
import { DEFAULT_CLUSTER_DOMAIN } from "../resources/names.ts";

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** RFC 1035 §3.1, without the dots and length octets of the encoding. */
const MAX_NAME = 253;

export const parseClusterDomain = (text: string): string => {
  if (text.length > MAX_NAME || !text.split(".").every((label) => LABEL.test(label)))
    throw new InvalidArgumentError("expected a DNS name in lower case without a trailing dot, as cluster.local");
  return text;
};

export const clusterDomainOption = (): Option =>
  new Option("--cluster-domain <name>", "DNS domain of the cluster, used in the names of Services")
    .default(DEFAULT_CLUSTER_DOMAIN)
    .argParser(parseClusterDomain);
