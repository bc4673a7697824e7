import { describe, expect, it } from "vitest";
import { applyTemplate } from "./jsonpath.ts";
import { documentWriter } from "./documents.ts";
import { parseFormat } from "./output.ts";

const values = [
  { a: [1], text: "x" },
  { a: [], text: "y" },
];

const written = (format: string): string => {
  let text = "";
  const writer = documentWriter(parseFormat(format), (more) => (text += more));
  for (const value of values) writer.write(value, () => "row\n");
  return text;
};

describe("documents", () => {
  it.each([
    ["json", '{"a":[1],"text":"x"}\n{"a":[],"text":"y"}\n'],
    ["yaml", "a:\n  - 1\ntext: x\n---\na: []\ntext: y\n"],
    ["jsonpath={.text}", "x\ny\n"],
    ["jsonpath={.a[*]}", "1\n<none>\n"],
    ["table", "row\nrow\n"],
  ])("as %s", (format, text) => {
    expect(written(format)).toBe(text);
  });

  it.each(["{.b}", "{.a[5]}", "{.b[*]}", "{.a[*].b}", "{.a[?(@.b==1)].c}", "{['b']}"])("refuses %s", (path) => {
    expect(() => applyTemplate(path, values[0], { missing: "refuse" })).toThrow(
      expect.objectContaining({ code: "field-missing" }),
    );
  });

  it.each(["{.objects[?(@.b==7)]}", "{.a[3:4]}", "{.a[0]}", "{.text}"])(
    "takes %s, which may select nothing",
    (path) => {
      expect(() => applyTemplate(path, { ...values[0], objects: [{ b: 1 }] }, { missing: "refuse" })).not.toThrow();
    },
  );
});
