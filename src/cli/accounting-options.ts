/** Accounting: where usage records go. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { messageOf, TurnpikeError } from "../errors.ts";
import {
  accountingFormats,
  planAccounting,
  readToken,
  type AccountingFormat,
  type AccountingPlan,
} from "../runtime/accounting/index.ts";

export interface AccountingFlags {
  readonly accountingUrl?: string;
  readonly accountingFormat: AccountingFormat;
  readonly accountingTokenFile?: string;
  readonly accountingInterval: number;
}

const LONGEST_SECONDS = 86_400;
const OTLP_PATH = "v1/logs";

const parseUrl = (text: string): string => {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError("expected http(s)://HOST[:PORT]/PATH");
  // Other processes of the machine can read command lines.
  if (url.username !== "" || url.password !== "")
    throw new InvalidArgumentError("a password belongs in --accounting-token-file");
  return text;
};

const parseSeconds = (text: string): number => {
  const seconds = Number(text);
  if (!/^\d{1,5}$/.test(text) || seconds < 1 || seconds > LONGEST_SECONDS)
    throw new InvalidArgumentError(`expected seconds, from 1 to ${LONGEST_SECONDS}`);
  return seconds;
};

export const addAccountingOptions = (command: Command): Command =>
  command
    .option("--accounting-url <url>", "send usage records of calls to this receiver (default: none)", parseUrl)
    .addOption(
      new Option(
        "--accounting-format <format>",
        "webhook: JSON, to the URL itself; otlp: OpenTelemetry logs, to v1/logs of the URL",
      )
        .choices(accountingFormats)
        .default("webhook"),
    )
    .option(
      "--accounting-token-file <file>",
      "bearer token for the receiver, read for each request (default: TURNPIKE_ACCOUNTING_TOKEN)",
    )
    .option("--accounting-interval <seconds>", "between the usage records of an open call", parseSeconds, 300);

/**
 * Undefined if accounting is off.
 * @param mode `operator`, `standalone`, `dataplane`. @throws TurnpikeError `usage`.
 */
export const accountingOf = async (flags: AccountingFlags, mode: string): Promise<AccountingPlan | undefined> => {
  const { accountingUrl: url, accountingFormat: format, accountingTokenFile: tokenFile } = flags;
  if (url === undefined) {
    if (tokenFile !== undefined)
      throw new TurnpikeError("usage", "--accounting-token-file: --accounting-url is missing");
    return undefined;
  }
  const { TURNPIKE_ACCOUNTING_TOKEN: token } = process.env;
  try {
    if (tokenFile !== undefined) readToken(tokenFile);
  } catch (error) {
    throw new TurnpikeError("usage", `--accounting-token-file: ${messageOf(error)}`);
  }
  return planAccounting(
    {
      url: format === "otlp" ? `${url.replace(/\/+$/, "")}/${OTLP_PATH}` : url,
      format,
      ...(tokenFile === undefined ? {} : { tokenFile }),
      ...(token ? { token } : {}),
      intervalSeconds: flags.accountingInterval,
    },
    mode,
  );
};
