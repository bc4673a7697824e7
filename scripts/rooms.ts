/** The rooms of the house: the folders of `src`, which the lint and the architecture page go by. */

export interface Room {
  readonly name: string;
  readonly pure?: true;
  /** Packages that a pure room may import. */
  readonly packages?: readonly string[];
}

/**
 * The rooms of the house, in the order in which data walks through them. A room imports from itself and from rooms
 * above it in this list, never from one below. `pure` rooms use no clock, no randomness and no I/O.
 */
export const rooms: readonly Room[] = [
  { name: "net", pure: true },
  // Hashes and checksums are functions of their input.
  { name: "stun", pure: true, packages: ["node:crypto", "node:zlib"] },
  { name: "resources" },
  { name: "admission", pure: true },
  { name: "journal" },
  { name: "kubernetes" },
  { name: "watchers" },
  { name: "machines", pure: true, packages: ["xstate"] },
  { name: "render", pure: true },
  { name: "core", pure: true },
  { name: "history", pure: true },
  { name: "dataplane" },
  { name: "explain", pure: true },
  { name: "lint", pure: true },
  { name: "slices", pure: true },
  { name: "turn-client" },
  { name: "load" },
  { name: "tunnel" },
  { name: "discovery" },
  { name: "credentials" },
  { name: "icetest" },
  { name: "effects" },
  { name: "visualizer" },
  { name: "admin" },
  { name: "runtime" },
  { name: "cli" },
  { name: "testing" },
];
