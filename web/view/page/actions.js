// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Shows commands for rows, which users copy and run. The page itself runs no command. @module */

import { formatCountOf } from "../../../lib/figures.js";
import { byId, copyText, make, onClick, setShown, setText, setWords } from "../../page/dom.js";

/**
 * What the commands contain: the program, the paths that the page shows, their results files, and
 * the runs that wrote these files.
 * @typedef {{ program: string, paths: readonly string[], results: readonly string[], runs: readonly
 * { input: string, output: string, model: string }[] }} CommandContext
 */
/** @typedef {{ title: string, command: string, note?: string }} Command */
/**
 * Saves the ids of the rows that the dialog is about.
 * @typedef {() => Promise<{ path: string, count: number }>} SaveIds
 */
/** @import { FacetChoice } from "./view_state.js" */

export class Actions {
  #dialog = byId("actions", HTMLDialogElement);
  #save = byId("actions-save", HTMLButtonElement);
  /** @type {SaveIds} */
  #saveIds = () => Promise.reject(new Error("nothing to save"));
  /** @type {CommandContext} */
  #context = { program: "retort", paths: [], results: [], runs: [] };

  constructor() {
    onClick("actions-close", () => this.#dialog.close());
    onClick("actions-save", () => this.#onSave());
  }

  /**
   * @param {CommandContext} context
   * @param {string} condition
   * @param {number} count number of rows that meet the condition
   * @param {boolean} isKnownToCommands whether commands know all fields of the condition
   * @param {SaveIds} save
   */
  showFilter(context, condition, count, isKnownToCommands, save) {
    setText("actions-title", `Use ${formatCountOf(count, "row")}`);
    const note = isKnownToCommands
      ? "Each command contains the condition. Save the ids to send these rows again, or to keep the list as it is now."
      : "Commands do not know this condition. Save the ids of the rows to use them in commands.";
    const commands = isKnownToCommands ? filterCommands(context, condition) : [];
    this.#show(context, note, commands, condition === "" ? 0 : count, save);
  }

  /**
   * @param {CommandContext} context
   * @param {number} count number of selected rows
   * @param {SaveIds} save
   */
  showSelection(context, count, save) {
    setText("actions-title", `Use ${formatCountOf(count, "selected row")}`);
    const note = "Their ids are saved in a file next to the results, and commands name that file.";
    this.#show(context, note, [], count, save);
  }

  /**
   * @param {CommandContext} context
   * @param {string} note
   * @param {readonly Command[]} commands
   * @param {number} idCount number of ids that can be saved
   * @param {SaveIds} save
   */
  #show(context, note, commands, idCount, save) {
    this.#context = context;
    this.#saveIds = save;
    setText("actions-note", note);
    this.#showCommands(commands);
    setText(this.#save, `Save ${formatCountOf(idCount, "id")}`);
    setShown(this.#save, idCount > 0);
    this.#dialog.showModal();
  }

  async #onSave() {
    const label = this.#save.textContent;
    this.#save.disabled = true;
    setText(this.#save, "Saving …");
    try {
      const { path, count } = await this.#saveIds();
      setText("actions-note", `Saved ${formatCountOf(count, "id")} in ${path}`);
      setShown(this.#save, false);
      this.#showCommands(selectionCommands(this.#context, path));
    } catch (error) {
      setText("actions-note", error instanceof Error ? error.message : String(error));
    } finally {
      setText(this.#save, label);
      this.#save.disabled = false;
    }
  }

  /** @param {readonly Command[]} commands */
  #showCommands(commands) {
    byId("actions-list").replaceChildren(...commands.map(({ title, command, note }) => {
      const code = make("pre", { tabindex: "0", role: "group", "aria-label": title });
      setWords(code, command);
      const copy = make("button", { type: "button", class: "small" }, "Copy");
      copy.append(make("span", { class: "visually-hidden" }, ` the command: ${title}`));
      copy.addEventListener("click", () => copyText(command, copy, code));
      const head = make("div", { class: "text-head" }, make("h3", {}, title), copy);
      const notes = note === undefined ? [] : [make("p", { class: "note" }, note)];
      return make("li", {}, head, code, ...notes);
    }));
  }
}

/**
 * Restricts the context to the results files that have any of the rows, if there are such files:
 * two runs may have the same ids, and a command with ids would take the rows of both.
 * @param {CommandContext} context
 * @param {(path: string) => boolean} hasRows whether a results file has some of the rows
 * @returns {CommandContext}
 */
export function contextOf(context, hasRows) {
  const results = context.results.filter(hasRows);
  if (results.length === 0) return context;
  return { ...context, results, runs: context.runs.filter(({ output }) => hasRows(output)) };
}

/**
 * Whether a results file belongs to a run that the filter shows.
 * @param {string} path
 * @param {FacetChoice} choice of `compared_run`, whose values are files or folders
 */
export function isOfChosenRun(path, { only, not }) {
  /** @param {unknown} run */
  const isOf = (run) => path === run || path.startsWith(`${String(run).replace(/[\\/]$/, "")}/`);
  return only.length > 0 ? only.some(isOf) : !not.some(isOf);
}

/**
 * Whether one of the files was written by the run that wrote a results file.
 * @param {string} path of the results file
 * @param {readonly string[]} files results and failures files
 */
export function isOfFiles(path, files) {
  return files.some((file) => stemOf(file) === stemOf(path));
}

/**
 * Removes `_error` and extensions: what is left is the same for the results and failures of a run.
 * @param {string} path
 */
function stemOf(path) {
  return path.replace(/(?:_error)?\.(?:jsonl|ndjson)(?:\.gz|\.zstd?)?$/, "");
}

/** @param {CommandContext} context @param {string} condition @returns {Command[]} */
function filterCommands(context, condition) {
  const { program, paths } = context;
  const where = condition === "" ? "" : ` --where ${shellWord(condition)}`;
  const others = ` --where ${shellWord(`not (${condition})`)}`;
  return [
    { title: "Export them for training", command: exportOf(context, "train.jsonl", where) },
    { title: "Count them", command: `${program} stats ${shellWords(paths)}${where}` },
    ...(condition === ""
      ? []
      : [{ title: "Export all others", command: exportOf(context, "others.jsonl", others) }]),
  ];
}

/** @param {CommandContext} context @param {string} path @returns {Command[]} */
function selectionCommands(context, path) {
  const uids = shellWord(`@${path}`);
  const only = ` --uids ${uids}`, others = ` --exclude-uids ${uids}`;
  return [
    { title: "Export them for training", command: exportOf(context, "train.jsonl", only) },
    { title: "Export all others", command: exportOf(context, "others.jsonl", others) },
    ...context.runs.flatMap(({ input, output, model }) => {
      const words = ["retry", input, "-o", output, "-m", model];
      const retry = `${context.program} ${shellWords(words)}${only}`;
      const flags = "Add the other flags of the run.";
      return [
        { title: `Retry the failed rows of ${input}`, command: retry, note: flags },
        {
          title: `Send the answered rows of ${input} again, too`,
          command: `${retry} --reask-answered`,
          note: `Old answers are set aside, and the price is shown first. ${flags}`,
        },
      ];
    }),
  ];
}

/** @param {CommandContext} context @param {string} output @param {string} flags */
function exportOf({ program, paths, results }, output, flags) {
  const files = shellWords(results.length > 0 ? results : paths);
  return `${program} export ${files} -o ${output} --format messages${flags}`;
}

/** @param {readonly string[]} words */
function shellWords(words) {
  return words.map(shellWord).join(" ");
}

/**
 * Quotes a word for a POSIX shell, and for PowerShell, to which `@` and `,` are special.
 * @param {string} word
 */
function shellWord(word) {
  return /^[\w%+=:./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
