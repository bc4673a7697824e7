/** The offload settings of a config. */
export const offloadEngines = ["NONE", "XDP", "TC", "AUTO"] as const;

export interface OffloadWish {
  readonly engine: (typeof offloadEngines)[number];
  /** Names; all interfaces if empty. */
  readonly interfaces: readonly string[];
}
