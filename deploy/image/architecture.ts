/** What a machine is called, by whom. */
export interface Architecture {
  /** By Debian, and by Docker. */
  readonly debian: "amd64" | "arm64";
  /** By Node and npm. */
  readonly node: "x64" | "arm64";
}

/** @throws Error at a name that Docker has for another machine. */
export const architectureOf = (name: string): Architecture => {
  if (name === "amd64") return { debian: "amd64", node: "x64" };
  if (name === "arm64") return { debian: "arm64", node: "arm64" };
  throw new Error(`no image for ${name}: amd64 and arm64 there are`);
};
