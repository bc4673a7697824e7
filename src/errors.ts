/**
 * All named errors of Turnpike: code, meaning and what to do. Logs, statuses, metrics and `docs/reference/errors.md` all
 * use this table.
 */
export const errors = {
  "manifest-syntax": {
    what: "a file is not valid YAML or JSON",
    todo: "correct the file; the last valid version of its objects stays active",
  },
  "manifest-schema": { what: "an object does not match its schema", todo: "correct the field named in the message" },
  "manifest-kind": {
    what: "an object has a kind that Turnpike does not read",
    todo: "remove it, or ignore this message",
  },
  "manifest-duplicate": {
    what: "two documents describe the same object",
    todo: "keep one of them; the first one read stays active",
  },
  "manifest-unreadable": { what: "a file could not be read", todo: "check its permissions" },
  "journal-damaged": { what: "a line of the event log cannot be read", todo: "the log is readable up to that line" },
  "journal-version": {
    what: "the event log has lines whose version this release cannot read",
    todo: "read it with the release that wrote it, or a newer one",
  },
  "journal-differs": {
    what: "an event log does not replay as it was recorded",
    todo: "run 'turnpike replay': it shows the first line that differs, and why",
  },
  "file-exists": { what: "the output file already exists", todo: "choose another name, or use --force" },
  "journal-busy": { what: "another process is writing to the event log", todo: "stop it, or choose another --journal" },
  "config-invalid": { what: "a dataplane config is invalid", todo: "the previous config stays active" },
  "secret-unknown": {
    what: "a config needs a secret or a certificate that is no longer in memory",
    todo: "the last config stays active; apply the object that contains the secret again",
  },
  "discovery-unreachable": {
    what: "no config discovery server answers",
    todo: "check its address; the last config stays active",
  },
  "discovery-refused": {
    what: "the config discovery server returned an error",
    todo: "the message contains the status and the reason",
  },
  "discovery-address": {
    what: "the operator does not know from which address managed dataplanes can fetch their configs",
    todo: "set STUNNER_GATEWAY_OPERATOR_ADDRESS to its discovery Service (SERVICE.NAMESPACE.svc), or bind --config-discovery-address to one address",
  },
  "discovery-file": {
    what: "a certificate, key or token for config discovery cannot be read or used",
    todo: "correct the file that the message names; if it was read before, that version stays active",
  },
  "kubeconfig-invalid": {
    what: "the kubeconfig is not valid YAML, or required fields are missing",
    todo: "run kubectl with it, which shows what is wrong; this message does not quote it because it contains tokens",
  },
  "api-refused": {
    what: "the Kubernetes API server rejected a request of this command",
    todo: "the message says why; 'kubectl auth can-i --list' shows what you are allowed to do",
  },
  "discovery-not-found": {
    what: "there is no pod of the config discovery server, or more than one",
    todo: "set its address with --discovery HOST:PORT, or its namespace with --discovery-namespace",
  },
  "gateway-unknown": {
    what: "there is no such Gateway, listener or dataplane pod",
    todo: "'turnpike config -A' lists the existing ones",
  },
  "connect-failed": {
    what: "no connection through the TURN server to the peer",
    todo: "the message names the step that failed; 'turnpike explain' shows why a peer is refused",
  },
  "field-missing": {
    what: "a jsonpath template refers to a field that the object does not have",
    todo: "'-o json' shows the fields of the object",
  },
  "auth-unreachable": {
    what: "the authentication service did not answer, or rejected the request",
    todo: "the message contains the status and the reason",
  },
  "pod-status": {
    what: "a dataplane's pod does not report how many allocations it has",
    todo: "let the operator's pods reach port 8086 of the dataplanes' pods; until then the pod keeps its deletion cost",
  },
  "icetest-failed": {
    what: "an ICE test or an ICE tester failed",
    todo: "the message says at which step",
  },
  "package-missing": {
    what: "a command needs an optional package that is not installed",
    todo: "install the package that the message names",
  },
  "bind-failed": {
    what: "an address could not be bound",
    todo: "choose another address, or stop the process that uses it",
  },
  "admin-bind": { what: "the admin API could not bind its address", todo: "choose another address with --admin" },
  "admin-unreachable": {
    what: "no Turnpike process answers at the admin address",
    todo: "start one, or set its address with --admin",
  },
  "probe-failed": {
    what: "a probe failed",
    todo: "the message names the step that failed; 'turnpike status' shows which endpoints are admitted",
  },
  "load-failed": {
    what: "a load test could not start, or the server refused one of its requests",
    todo: "the message contains the server's answer",
  },
  "nothing-known": {
    what: "the event log has no information about it",
    todo: "'turnpike log' shows its first and last lines; choose another time, or another log",
  },
  "finalize-incomplete": {
    what: "not all managed objects could be removed",
    todo: "the log says which request Kubernetes rejected; correct the cause and run the command again",
  },
  usage: { what: "the command was called with wrong arguments", todo: "see --help" },
} as const satisfies Record<string, { readonly what: string; readonly todo: string }>;

export type ErrorCode = keyof typeof errors;

/** An error with a code from the table; `message` says what happened in this case. */
export class TurnpikeError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TurnpikeError";
    this.code = code;
  }
}

/** The text of a thrown value: the message of an error, anything else as text. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
