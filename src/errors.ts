/**
 * Every error that Turnpike names: its code, what it means and what to do about it.
 * Logs, statuses, metrics and `docs/reference/errors.md` all read this one table.
 */
export const errors = {
  "manifest-syntax": {
    what: "a file is not valid YAML or JSON",
    todo: "correct the file; the last good version of its objects stays in force",
  },
  "manifest-schema": { what: "an object does not match its schema", todo: "correct the field named in the message" },
  "manifest-kind": {
    what: "an object is of a kind that Turnpike does not read",
    todo: "remove it, or ignore this message",
  },
  "manifest-duplicate": {
    what: "two documents describe the same object",
    todo: "keep one of them; the first one read stays in force",
  },
  "manifest-unreadable": { what: "a file could not be read", todo: "check its permissions" },
  "journal-damaged": { what: "a line of the event log cannot be read", todo: "the log is readable up to that line" },
  "journal-version": {
    what: "the event log has lines of a version that this release does not read",
    todo: "read it with the release that wrote it, or a newer one",
  },
  "journal-differs": {
    what: "an event log does not replay as it was recorded",
    todo: "'turnpike replay' names the first line that differs, and why",
  },
  "file-exists": { what: "a file that is to be written is there already", todo: "name another one, or use --force" },
  "journal-busy": { what: "another process writes to the event log", todo: "stop it, or choose another --journal" },
  "config-invalid": { what: "a dataplane config does not validate", todo: "the config before it stays in force" },
  "secret-unknown": {
    what: "a config needs a secret, or a certificate, that is no longer in memory",
    todo: "the last config stays active; apply the object that the secret is in again",
  },
  "discovery-unreachable": {
    what: "no config discovery server answers",
    todo: "check its address; the last config stays in force",
  },
  "discovery-refused": {
    what: "the config discovery server answered with an error",
    todo: "the message has its status and reason",
  },
  "discovery-address": {
    what: "the operator does not know the address that managed dataplanes fetch their configs from",
    todo: "set STUNNER_GATEWAY_OPERATOR_ADDRESS to its discovery Service (SERVICE.NAMESPACE.svc), or bind --config-discovery-address to one address",
  },
  "discovery-file": {
    what: "a certificate, key or token for config discovery cannot be read or used",
    todo: "correct the file that the message names; one that was read before stays in force",
  },
  "kubeconfig-invalid": {
    what: "the kubeconfig is not valid YAML, or lacks what is needed",
    todo: "try it with kubectl, which says what is wrong; it is not quoted here, for the tokens in it",
  },
  "api-refused": {
    what: "the Kubernetes API server refused what a command asked of it",
    todo: "the message says why; 'kubectl auth can-i' tells what one may do",
  },
  "discovery-not-found": {
    what: "the pod of the config discovery server is not there, or there are several",
    todo: "name its address with --discovery HOST:PORT, or its namespace with --discovery-namespace",
  },
  "gateway-unknown": {
    what: "there is no such Gateway, listener or dataplane pod",
    todo: "'turnpike config -A' lists those that there are",
  },
  "connect-failed": {
    what: "there is no way through a TURN server to a peer",
    todo: "the message says at which step; 'turnpike explain' tells why a peer is refused",
  },
  "field-missing": {
    what: "a jsonpath template names a field that an object does not have",
    todo: "'-o json' shows the fields of the object",
  },
  "auth-unreachable": {
    what: "the authentication service does not answer, or refused",
    todo: "the message has its status and reason",
  },
  "icetest-failed": {
    what: "an ICE test, or an ICE tester, did not get as far as it should",
    todo: "the message says at which step",
  },
  "package-missing": {
    what: "a command needs a package that is not installed with all the others",
    todo: "install the one that the message names",
  },
  "bind-failed": { what: "an address could not be bound", todo: "choose another, or end what listens there" },
  "admin-bind": { what: "the admin API could not bind its address", todo: "choose another with --admin" },
  "admin-unreachable": {
    what: "no running Turnpike answers at the admin address",
    todo: "start one, or name its address with --admin",
  },
  "probe-failed": {
    what: "a probe did not get through",
    todo: "the message says at which step; 'turnpike status' shows what is admitted",
  },
  "load-failed": {
    what: "a load test could not start, or the server refused one of its requests",
    todo: "the message has the server's answer",
  },
  "nothing-known": {
    what: "the event log says nothing of what was asked",
    todo: "see its first and last lines with 'turnpike log'; ask for another moment, or name another log",
  },
  "finalize-incomplete": {
    what: "not everything that is managed could be removed",
    todo: "the log says what Kubernetes refused; correct that, and run it again",
  },
  usage: { what: "the command was called with wrong arguments", todo: "see --help" },
} as const satisfies Record<string, { readonly what: string; readonly todo: string }>;

export type ErrorCode = keyof typeof errors;

/** An error with a code from the table; `message` says what happened here. */
export class TurnpikeError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TurnpikeError";
    this.code = code;
  }
}

/** What a thrown value says: the message of an error, anything else as text. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
