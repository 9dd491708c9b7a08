// SPDX-License-Identifier: Apache-2.0
// The daemon's actions (docs/ACTIONS.md) as commands of the palette.  package.json has the same list, which a unit
// test compares.

/** What a model does: `inlined.action` of this word, about the selection or what is around the cursor. */
export interface ModelAction {
  command: string;
  action: string;
  /** Shown while it runs. */
  title: string;
  /** Asked for first: the text that goes along as the instruction. */
  asks?: string;
}

/** What the syntax tree does by itself: its edits come with the list of code actions. */
export interface TreeAction {
  command: string;
  kind: string;
  /** How the titles of its code actions begin. */
  begins: string;
  none: string;
}

export const MODEL_ACTIONS: readonly ModelAction[] = [
  { command: "inlined.improve", action: "improve", title: "Improve" },
  { command: "inlined.simplify", action: "simplify", title: "Simplify" },
  { command: "inlined.rewrite", action: "rewrite", title: "Rewrite", asks: "Change the code so that ..." },
  { command: "inlined.errors", action: "errors", title: "Add error handling" },
  { command: "inlined.types", action: "types", title: "Add types" },
  { command: "inlined.document", action: "document", title: "Document" },
  { command: "inlined.tests", action: "tests", title: "Generate tests" },
  { command: "inlined.extractFunction", action: "extract", title: "Extract a function" },
  { command: "inlined.fix", action: "fix", title: "Fix" },
  { command: "inlined.explain", action: "explain", title: "Explain" },
  { command: "inlined.ask", action: "explain", title: "Answer", asks: "What do you want to know about this code?" },
  { command: "inlined.review", action: "review", title: "Review" },
  { command: "inlined.reviewFile", action: "reviewFile", title: "Review this file" },
  { command: "inlined.reviewChanges", action: "reviewChanges", title: "Review changes" },
];

export const TREE_ACTIONS: readonly TreeAction[] = [
  {
    command: "inlined.extract", kind: "refactor.extract", begins: "Extract",
    none: "Nothing here can be extracted without changing what the code does: select one whole expression, or whole " +
      "statements.",
  },
  {
    command: "inlined.inline", kind: "refactor.inline", begins: "Inline",
    none: "No variable here can be replaced by its value without changing what the code does.",
  },
  {
    command: "inlined.import", kind: "quickfix", begins: "Import",
    none: "No import is known to be missing here.",
  },
];
