import { describe, expect, it } from "vitest";
import { expandPlaceholders, expandText, withDefaultPort } from "./placeholders.ts";

const environment = { NAME: "value", OTHER_1: "x", QUOTE: `"}` };

describe("environment placeholders", () => {
  it.each([
    ["$NAME", "value"],
    ["a${NAME}b", "avalueb"],
    ["$NAMEb", ""],
    ["$OTHER_1.$NAME", "x.value"],
    ["$UNSET|", "|"],
    ["$$|$1|$*|$#|$@|$?|$-|$!", "|||||||"],
    ["100$", "100$"],
    ["$ $.", "$ $."],
    ["${}|", "|"],
    ["${NAME", "NAME"],
  ])("%s becomes %s", (text, expected) => expect(expandText(text, environment)).toBe(expected));

  it("are replaced everywhere but in credentials", () => {
    const document = {
      auth: { realm: "$NAME", credentials: { password: "$NAME", secret: "${" } },
      listeners: [{ address: "$STUNNER_ADDR", name: "$QUOTE", port: "$STUNNER_PORT", public_port: 1 }],
    };
    expect(expandPlaceholders(document, { ...environment, STUNNER_ADDR: "10.0.0.1" })).toEqual({
      auth: { realm: "value", credentials: { password: "$NAME", secret: "${" } },
      listeners: [{ address: "10.0.0.1", name: `"}`, port: "3478", public_port: 1 }],
    });
    expect(expandPlaceholders([1], environment)).toEqual([1]);
  });

  it("know a default port", () => {
    const portOf = (one: Record<string, string>): string | undefined => withDefaultPort(one)["STUNNER_PORT"];
    expect(portOf({})).toBe("3478");
    expect(portOf({ STUNNER_PORT: "" })).toBe("3478");
    expect(portOf({ STUNNER_PORT: "1", STUNNER_PUBLIC_PORT: "2" })).toBe("1");
    expect(portOf({ STUNNER_PORT: "x", STUNNER_PUBLIC_PORT: "2" })).toBe("2");
    expect(portOf({ STUNNER_PUBLIC_PORT: "y" })).toBe("3478");
  });
});
