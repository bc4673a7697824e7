/** What a config asks of offload. */
export const offloadEngines = ["NONE", "XDP", "TC", "AUTO"] as const;

export interface OffloadWish {
  readonly engine: (typeof offloadEngines)[number];
  /** By name; all where there are none. */
  readonly interfaces: readonly string[];
}
