/** Commands in the documentation: the blocks that they stand in, and their words, as a shell takes them apart. */

export interface Block {
  /** Of the fence; undefined for a block that is indented. */
  readonly language: string | undefined;
  readonly text: string;
  readonly line: number;
}

/** Fenced blocks, and those that are indented by four columns more than the text around them. */
export const blocksOf = (markdown: string): readonly Block[] => {
  const blocks: Block[] = [];
  const lines = markdown.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const [, indent = "", fence = "", language = ""] = /^( *)(```+|~~~+) *([\w-]*)/.exec(lines[at] ?? "") ?? [];
    if (fence !== "") {
      const end = lines.findIndex((line, index) => index > at && line.trim() === fence);
      const last = end === -1 ? lines.length : end;
      const text = lines.slice(at + 1, last).map((line) => line.slice(indent.length));
      blocks.push({ language: language === "" ? "text" : language, text: text.join("\n"), line: at + 2 });
      at = last;
      continue;
    }
    const isIndented = (line = ""): boolean => /^ {4,}\S/.test(line);
    const before = lines[at - 1] ?? "";
    if (!isIndented(lines[at]) || before.trim() !== "" || /^ {4,}([-*]|\d+\.) /.test(lines[at] ?? "")) continue;
    let end = at;
    while (isIndented(lines[end]) || (lines[end]?.trim() === "" && isIndented(lines[end + 1]))) end += 1;
    blocks.push({
      language: undefined,
      text: lines
        .slice(at, end)
        .map((line) => line.trim())
        .join("\n"),
      line: at + 1,
    });
    at = end;
  }
  return blocks;
};

/** Lists of words: of each command of a script its own. Redirections are left out; a script in `<(…)` is one of them. */
export const commandsOf = (script: string): readonly (readonly string[])[] => {
  const commands: string[][] = [];
  let words: string[] = [];
  let word: string | undefined;
  let isTarget = false;
  const endWord = (): void => {
    if (word !== undefined && !isTarget) words.push(word);
    if (word !== undefined) isTarget = false;
    word = undefined;
  };
  const endCommand = (): void => {
    endWord();
    // What is set for the command alone.
    while (/^[A-Z_]+=/.test(words[0] ?? "")) words.shift();
    if (words.length > 0) commands.push(words);
    words = [];
  };
  for (let at = 0; at < script.length; at += 1) {
    const one = script[at] ?? "";
    if (one === "\\") {
      at += 1;
      if (script[at] !== "\n") word = (word ?? "") + (script[at] ?? "");
    } else if (one === "'" || one === '"') {
      const end = script.indexOf(one, at + 1);
      word = (word ?? "") + script.slice(at + 1, end === -1 ? undefined : end);
      at = end === -1 ? script.length : end;
    } else if (one === "#" && word === undefined) {
      const end = script.indexOf("\n", at);
      at = (end === -1 ? script.length : end) - 1;
    } else if (/[|;&\n()]/.test(one)) endCommand();
    else if (one === ">" || one === "<") {
      if (/^\d$/.test(word ?? "")) word = undefined;
      endWord();
      isTarget = script[at + 1] !== "(";
    } else if (/\s/.test(one)) endWord();
    else word = (word ?? "") + one;
  }
  endCommand();
  return commands;
};
