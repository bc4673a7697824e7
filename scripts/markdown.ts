/** Parts of the pages that are generated from the code. */

/** Text that may stand in a cell of a table. */
export const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");
