import { expect, it } from "vitest";
import { parseClusterDomain } from "./cluster-domain.ts";

it.each(["cluster.local", "local", "k8s.example.org", "a-1.b2.example", `${"a".repeat(63)}.example`])(
  "accepts %s",
  (domain) => {
    expect(parseClusterDomain(domain)).toBe(domain);
  },
);

it.each([
  "",
  ".",
  ".cluster.local",
  "cluster.local.",
  "cluster..local",
  "Cluster.local",
  "cluster_1.local",
  "-a.local",
  "a-.local",
  "cluster.local:53",
  "cluster local",
  `${"a".repeat(64)}.example`,
  Array.from({ length: 64 }, () => "abc").join("."),
])("rejects %j", (domain) => {
  expect(() => parseClusterDomain(domain)).toThrow("expected a DNS name");
});
