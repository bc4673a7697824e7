/** Subcommands of `stunnerctl`, each with its alias. */
export const stunnerctlNames: readonly string[] = [
  "config",
  "stunner-config",
  "status",
  "dataplane-status",
  "auth",
  "get-credential",
  "license",
  "license-status",
];
