import { describe, expect, it } from "vitest";
import { applyTemplate } from "./jsonpath.ts";
import { parseFormat, render } from "./output.ts";

const value = {
  name: "media/gateway",
  auth: { credentials: { username: "user-1" } },
  listeners: [
    { name: "udp", port: 3478, routes: ["a", "b"] },
    { name: "tls", port: 443 },
  ],
};

describe("a jsonpath template", () => {
  it.each([
    ["{.name}", "media/gateway"],
    ["{name}", "media/gateway"],
    ["{$.name}", "media/gateway"],
    ["{.auth.credentials.username}", "user-1"],
    ["user={.auth.credentials.username}, at={.listeners[0].port}!", "user=user-1, at=3478!"],
    ["{.listeners[*].name}", "udp tls"],
    ["{.listeners[-1:].name}", "tls"],
    ["{.listeners[?(@.port==443)].name}", "tls"],
    ["{.listeners[?(@.name=='}')].name}", "<none>"],
    ["{.missing.too}", "<none>"],
    ["{.listeners[0].routes}", '["a","b"]'],
    ['{range .listeners[*]}{.name}{"\\t"}{.port}{"\\n"}{end}', "udp\t3478\ntls\t443\n"],
    ["{range .listeners[*]}{range .routes[*]}<{@}>{end}{end}", "<a><b>"],
    ["no braces", "no braces"],
  ])("of %s is %j", (template, text) => {
    expect(applyTemplate(template, value)).toBe(text);
  });

  it.each(["{}", "{.a", "{end}", "{range .a}", "{.listeners[?(]}"])("is refused when it is %s", (template) => {
    expect(() => applyTemplate(template, value)).toThrow(expect.objectContaining({ code: "usage" }));
  });

  it("runs no code", () => {
    const code = "{.listeners[?(@.constructor.constructor('return process')())]}";
    expect(() => applyTemplate(code, value)).toThrow(/jsonpath/);
  });
});

describe("-o", () => {
  it.each([
    ["table", "a table\n"],
    ["summary", "a table\n"],
    ["json", '{\n  "a": [\n    1\n  ]\n}\n'],
    ["yaml", "a:\n  - 1\n"],
    ["jsonpath={.a[0]}", "1\n"],
  ])("%s", async (format, text) => {
    expect(await render(parseFormat(format), { a: [1] }, () => "a table\n")).toBe(text);
  });

  it.each(["xml", "jsonpath:{.a}", "jsonpath", "jsonpath=", ""])("refuses %j", (format) => {
    expect(() => parseFormat(format)).toThrow(/expected table, json, yaml or jsonpath=TEMPLATE/);
  });
});
